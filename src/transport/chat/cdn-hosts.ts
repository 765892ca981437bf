import { checkOptions, refuse } from '../arguments.js';
import type { CdnService } from '../transport.js';

/** @throws SealcastError ERR_INVALID_ARGUMENT */
export function checkCdn(cdn: CdnService | undefined): CdnService | undefined {
  if (cdn === undefined) return undefined;
  checkOptions(cdn, 'cdn');
  const { urls, certificateAuthority } = cdn as Partial<Record<keyof CdnService, unknown>>;
  const checked: Record<number, string> = {};
  for (const [number, url] of Object.entries(checkOptions(urls, 'cdn.urls')) as [
    string,
    unknown,
  ][]) {
    const field = `cdn.urls.${number}`;
    if (!/^\d{1,9}$/.test(number)) refuse(field, 'under the number of a CDN');
    if (typeof url !== 'string' || !url.startsWith('https://') || !URL.canParse(url))
      refuse(field, 'an https:// address');
    checked[Number(number)] = url.replace(/\/+$/, '');
  }
  if (typeof certificateAuthority !== 'string') refuse('cdn.certificateAuthority', 'a PEM');
  return { urls: checked, certificateAuthority };
}
