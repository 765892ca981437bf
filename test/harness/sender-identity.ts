import { PrivateKey } from '@signalapp/libsignal-client';
import type { BroadcasterAccount, LoggedRequest } from '../mock-service/mock-service.js';

/**
 * Everything that would tell the service who a sender is, as the bytes it could stand in a request
 * as.
 */
export function identifiersOf(account: BroadcasterAccount): ReadonlyMap<string, Buffer> {
  const identityKey = PrivateKey.deserialize(account.identityPrivateKey)
    .getPublicKey()
    .serialize()
    .subarray(1);
  const aciBytes = Buffer.from(account.aci.replaceAll('-', ''), 'hex');
  const identifiers = new Map<string, Buffer>();
  for (const [name, bytes] of [
    ['service id', aciBytes],
    ['identity key', Buffer.from(identityKey)],
    ['identity key with its type', Buffer.from([5, ...identityKey])],
  ] as const) {
    identifiers.set(name, bytes);
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      identifiers.set(
        `${name} in ${encoding}`,
        Buffer.from(bytes.toString(encoding).replace(/=+$/, '')),
      );
    }
  }
  identifiers.set('service id as text', Buffer.from(account.aci));
  identifiers.set('phone number', Buffer.from(account.number.replace('+', '')));
  identifiers.set('password', Buffer.from(account.password));
  return identifiers;
}

interface MessageList {
  readonly messages: readonly Record<string, unknown>[];
}

const BODY_FIELDS = ['messages', 'online', 'timestamp', 'urgent'];
const MESSAGE_FIELDS = ['content', 'destinationDeviceId', 'destinationRegistrationId', 'type'];
const SEALED_ENVELOPE = 6;

function unknownFields(object: object, known: readonly string[]): string[] {
  return Object.keys(object)
    .filter((field) => !known.includes(field))
    .map((field) => `a field named ${field}`);
}

/**
 * Every way in which a request, to send a message or without a body, tells who its sender is; none,
 * if it does not.
 */
export function senderIdentityIn(
  request: LoggedRequest,
  account: BroadcasterAccount,
): readonly string[] {
  const findings: string[] = [];
  if (request.authenticated) findings.push('it was authenticated');

  const headers = [...request.headers, ...request.connectionHeaders];
  if (headers.some(([name]) => name === 'authorization')) findings.push('an Authorization header');

  const { body: bytes } = request;
  const body = (
    bytes.length === 0 ? { messages: [] } : JSON.parse(Buffer.from(bytes).toString())
  ) as MessageList;
  findings.push(...unknownFields(body, BODY_FIELDS));
  for (const message of body.messages) {
    findings.push(...unknownFields(message, MESSAGE_FIELDS));
    if (message['type'] !== SEALED_ENVELOPE)
      findings.push(`an envelope of type ${String(message['type'])}`);
  }

  const contents = body.messages.map(({ content }) => Buffer.from(String(content), 'base64'));
  const headerValues = headers.map(([, value]) => value);
  const places = [
    Buffer.from(request.path),
    Buffer.from(request.body),
    ...headerValues.map((value) => Buffer.from(value)),
    // Word by word, because "Basic" before the credentials would shift their base64.
    ...headerValues.flatMap((value) =>
      value.split(/\s+/).map((word) => Buffer.from(word, 'base64')),
    ),
    ...contents,
  ];
  for (const [name, identifier] of identifiersOf(account)) {
    // In either case, for what is hexadecimal; the other forms are not changed by chance into one
    // another.
    const forms = [identifier, Buffer.from(identifier.toString('latin1').toUpperCase(), 'latin1')];
    if (places.some((place) => forms.some((form) => place.includes(form))))
      findings.push(`the ${name}`);
  }
  return findings;
}
