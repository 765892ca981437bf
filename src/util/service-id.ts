/** Ids of broadcasts are file-name-like, so that one can be the beginning of a key. */
const ID_PATTERN = /^[\w.:-]{1,128}$/;
export const isBroadcastId = (value: unknown): value is string =>
  typeof value === 'string' && ID_PATTERN.test(value);

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const PNI_PREFIX = 'PNI:';

/** The service id in its one form, in lower case; null for what is none. */
export function parseServiceId(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const isPni = value.slice(0, PNI_PREFIX.length).toUpperCase() === PNI_PREFIX;
  const uuid = isPni ? value.slice(PNI_PREFIX.length) : value;
  if (!UUID.test(uuid)) return null;
  return `${isPni ? PNI_PREFIX : ''}${uuid.toLowerCase()}`;
}
