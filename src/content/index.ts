export { decodeContent, encodeContent, encodeDataMessage } from './content.js';
export type { Content, ContentFields, DataMessage, DataMessageFields } from './content.js';
export { padPlaintext, unpadPlaintext } from './padding.js';
export { decodeServiceEnvelope, SERVICE_ENVELOPE_TYPE } from './service-envelope.js';
export type { ServiceEnvelope } from './service-envelope.js';
export { encodeUsmc, USMC_TYPE, usmcTypeOfCiphertext } from './usmc.js';
export type { ContentHint, UsmcFields, UsmcType } from './usmc.js';
export { decodeUsmc, type Usmc } from './read-usmc.js';
