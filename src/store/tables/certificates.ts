import type { Change, Store } from '../store.js';

const keyOf = (includesPhoneNumber: boolean): string =>
  includesPhoneNumber ? 'with-phone-number' : 'without-phone-number';

/** The sender certificate of one kind, serialized; undefined where there is none. */
export async function loadCertificate(
  store: Store,
  includesPhoneNumber: boolean,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const [certificate] = await store.getMany('certificate', [keyOf(includesPhoneNumber)]);
  return certificate;
}

export const certificateChange = (includesPhoneNumber: boolean, certificate: Uint8Array): Change => ({
  table: 'certificate',
  key: keyOf(includesPhoneNumber),
  value: certificate,
});
