// Signal's mock service in this process, for accounts that are linked.
import { X509Certificate } from 'node:crypto';
import '../mock-service/promise-with-resolvers.js';
import { loadCertificates, Server, type Device, type PrimaryDevice } from '@signalapp/mock-server';
import type { Net } from '@signalapp/libsignal-client/dist/net.js';
import { netOf } from '../mock-service/net.js';
import { temporaryDirectory } from './store-files.js';

/** A mock service, and a phone whose account links devices. */
export class LinkingServer implements AsyncDisposable {
  private constructor(
    readonly server: Server,
    readonly phone: PrimaryDevice,
    readonly net: Net,
    readonly place: { readonly port: number; readonly caCertificateDer: Uint8Array<ArrayBuffer> },
    readonly trustRoot: Uint8Array<ArrayBuffer>,
    private readonly uploads: ReturnType<typeof temporaryDirectory>,
  ) {}

  static async start({ hasNumber = true } = {}): Promise<LinkingServer> {
    const uploads = temporaryDirectory();
    const server = new Server({ cdn3Path: uploads.path });
    await server.listen(0, 'localhost');
    const phone = await server.createPrimaryDevice({ profileName: 'Phone', hasE164: hasNumber });
    const { certificateAuthority, serverTrustRoots } = await loadCertificates();
    const place = {
      port: server.address().port,
      caCertificateDer: new Uint8Array(new X509Certificate(certificateAuthority).raw),
    };
    const trustRoot = new Uint8Array(Buffer.from(serverTrustRoots[0] ?? '', 'base64'));
    return new LinkingServer(server, phone, netOf(place), place, trustRoot, uploads);
  }

  /**
   * Has the phone read a code.
   *
   * @returns the device, once it has uploaded prekeys of each of its identities.
   */
  async scan(url: string): Promise<{ readonly linked: Promise<Device> }> {
    const pending = await this.server.waitForProvision();
    return { linked: pending.complete({ provisionURL: url, primaryDevice: this.phone }) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    // Not awaited: it takes a minute, for which the server keeps idle connections (27.0.0, 2026-11).
    this.server.close().catch(() => undefined);
    this.uploads.remove();
    return Promise.resolve();
  }
}
