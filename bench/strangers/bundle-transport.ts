import type { PreKeysOutcome } from 'sealcast';
import { CountingTransport, type PreKeysRequest } from '../broadcast/counting-transport.js';
import type { Bundles } from './bundle-file.js';

/** A service that has prekey bundles, takes everything at once, and counts it. */
export class BundleTransport extends CountingTransport {
  readonly #bundles: Bundles;

  constructor(certificate: Uint8Array<ArrayBuffer>, bundles: Bundles) {
    super(certificate);
    this.#bundles = bundles;
  }

  override fetchPreKeys({ destination }: PreKeysRequest): Promise<PreKeysOutcome> {
    return Promise.resolve(this.#bundles.answer(destination));
  }
}
