import { SYSTEM_CLOCK } from '../util/clock.js';
import { AbortWatch } from '../util/abort-watch.js';
import { SharedTimeout } from '../util/shared-timeout.js';
import { SealcastError } from '../errors.js';
import { parseServiceId } from '../util/addresses.js';
import { refuse } from './arguments.js';
import { CLIENT_TOO_OLD } from './mapping/http.js';
import { refusedError } from './chat/connection-pool.js';
import type { Refusal, ServerTime, Transport } from './transport.js';

type Fields = Readonly<Record<string, unknown>>;
type IsValid = (value: unknown) => boolean;
/** Fields that an answer of one status must hold. */
type Form = Readonly<Record<string, IsValid>>;
/** Forms by status. */
type Forms = Readonly<Record<string, Form>>;

/** Devices of an account have the ids 1 to 127, so no list of the service names more. */
const MAX_DEVICES = 127;
const MAX_U32 = 2 ** 32 - 1;
const PUBLIC_KEY_BYTES = 33;

const optional =
  (isValid: IsValid): IsValid =>
  (value) =>
    value === undefined || isValid(value);
const integerIn =
  (min: number, max: number): IsValid =>
  (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
const isBoolean: IsValid = (value) => typeof value === 'boolean';
const isString: IsValid = (value) => typeof value === 'string';
const isNumber: IsValid = (value) => typeof value === 'number' && !Number.isNaN(value);
const isBytes: IsValid = (value) => value instanceof Uint8Array;
const isPublicKey: IsValid = (value) =>
  value instanceof Uint8Array && value.length === PUBLIC_KEY_BYTES;
const isAci: IsValid = (value) =>
  value === parseServiceId(value) && !String(value).startsWith('PNI:');
const isAnything: IsValid = () => true;
const isDeviceId = integerIn(1, MAX_DEVICES);
const isCount = integerIn(0, Number.MAX_SAFE_INTEGER);
const isKeyId = integerIn(0, MAX_U32);

const listOf =
  (isValid: IsValid, maxLength: number): IsValid =>
  (value) =>
    Array.isArray(value) && value.length <= maxLength && Array.from<unknown>(value).every(isValid);

const BUNDLE: Form = {
  deviceId: isDeviceId,
  registrationId: integerIn(0, MAX_U32),
  preKeyId: optional(isKeyId),
  preKeyPublic: optional(isBytes),
  signedPreKeyId: isKeyId,
  signedPreKeyPublic: isBytes,
  signedPreKeySignature: isBytes,
  kyberPreKeyId: isKeyId,
  kyberPreKeyPublic: isBytes,
  kyberPreKeySignature: isBytes,
};
const isBundle: IsValid = (value) => isObject(value) && faultOf(value, BUNDLE) === undefined;

const LINKED_DEVICE: Form = {
  deviceId: isDeviceId,
  lastSeenMs: isCount,
  registrationId: optional(integerIn(0, MAX_U32)),
  encryptedName: optional(isBytes),
};
const isLinkedDevice: IsValid = (value) =>
  isObject(value) && faultOf(value, LINKED_DEVICE) === undefined;

const isDeviceList = listOf(isDeviceId, MAX_DEVICES);
const REFUSALS: Readonly<Record<Refusal['status'], Form>> = {
  unauthorized: {},
  'not-found': {},
  'mismatched-devices': { missing: isDeviceList, extra: isDeviceList, stale: isDeviceList },
  'too-large': {},
  challenge: { token: isString, options: listOf(isString, 100), retryAfterMs: optional(isNumber) },
  'rate-limited': { retryAfterMs: isNumber },
  unavailable: {
    httpStatus: optional(isNumber),
    retryAfterMs: optional(isNumber),
    cause: isAnything,
  },
  rejected: { httpStatus: isNumber, cause: isAnything },
};
const DONE: Forms = { ok: {}, ...REFUSALS };

const STORAGE: Forms = { ok: { body: isBytes }, unchanged: {}, ...REFUSALS };

/** A form has a handful of headers; no CDN takes hundreds. */
const MAX_FORM_HEADERS = 32;
const isHeader: IsValid = (value) =>
  listOf(isString, 2)(value) && (value as unknown[]).length === 2;

/** Answers that each request may get. */
const ANSWERS: Readonly<Record<string, Forms>> = {
  sendSealed: { sent: {}, ...REFUSALS },
  sendUnsealed: { sent: {}, ...REFUSALS },
  fetchPreKeys: {
    ok: { identityKey: isPublicKey, bundles: listOf(isBundle, MAX_DEVICES) },
    ...REFUSALS,
  },
  accountExists: { ok: { exists: isBoolean }, ...REFUSALS },
  lookUpUsername: { ok: { aci: isAci }, ...REFUSALS },
  fetchSenderCertificate: { ok: { certificate: isBytes }, ...REFUSALS },
  getUploadForm: {
    ok: {
      cdnNumber: integerIn(0, MAX_U32),
      key: isString,
      headers: listOf(isHeader, MAX_FORM_HEADERS),
      uploadUrl: isString,
    },
    ...REFUSALS,
  },
  fetchProfile: {
    ok: {
      identityKey: isPublicKey,
      verifier: optional(isBytes),
      unrestricted: isBoolean,
      name: optional(isBytes),
    },
    ...REFUSALS,
  },
  countPreKeys: { ok: { preKeys: isCount, kyberPreKeys: isCount }, ...REFUSALS },
  uploadPreKeys: DONE,
  setAccountAttributes: DONE,
  setProfile: DONE,
  setCapabilities: DONE,
  answerChallenge: DONE,
  fetchDevices: { ok: { devices: listOf(isLinkedDevice, MAX_DEVICES) }, ...REFUSALS },
  removeDevice: DONE,
  fetchStorageManifest: STORAGE,
  fetchStorageItems: STORAGE,
};

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

/** The first field that is not as it must be. */
function faultOf(fields: Fields, form: Form): string | undefined {
  return Object.entries(form).find(([name, isValid]) => !isValid(fields[name]))?.[0];
}

function nonsense(request: string, what: string, cause?: unknown): Refusal {
  const field = `transport.${request}`;
  const error = new SealcastError('ERR_SERVICE_REJECTED', `${field} ${what}`, { field, cause });
  return { status: 'rejected', httpStatus: 0, cause: error };
}

/** The answer as a plain object, or the refusal that stands for one that cannot be read. */
function readAnswer(request: string, forms: Forms, answer: unknown): unknown {
  try {
    if (!isObject(answer)) return nonsense(request, 'gave no outcome');
    // Getters answer once: what is checked here is what the caller reads.
    const fields: Fields = { ...answer };
    const { status } = fields;
    const form =
      typeof status === 'string' && Object.hasOwn(forms, status) ? forms[status] : undefined;
    if (form === undefined) return nonsense(request, 'gave an outcome of unknown status');
    const fault = faultOf(fields, form);
    return fault === undefined
      ? fields
      : nonsense(request, `gave an outcome with a malformed ${fault}`);
  } catch (cause) {
    return nonsense(request, 'gave an outcome that cannot be read', cause);
  }
}

/**
 * After its signal fired, a transport has this long to settle by itself: an answer that is on its
 * way is worth having, ms.
 */
const GRACE_MS = 2_000;
/**
 * A request without an answer for so long has none, ms, by the machine's own clock: it bounds code
 * that is not ours. ChatTransport's own bound is shorter.
 */
const MAX_ANSWER_MS = 300_000;
const NO_ANSWER: Refusal = {
  status: 'unavailable',
  cause: new Error('the transport gave no answer for 5 minutes'),
};

const watch = new AbortWatch();
const answerTimeout = new SharedTimeout(SYSTEM_CLOCK, MAX_ANSWER_MS);

/**
 * Waits for an answer no longer than the caller does. The transport may ignore signals: `close()`
 * and abort must end. An answer that comes later is dropped.
 *
 * @throws SealcastError ERR_ABORTED a moment after the signal fired.
 */
async function bounded(answer: unknown, options: unknown): Promise<unknown> {
  const signal =
    isObject(options) && options['signal'] instanceof AbortSignal ? options['signal'] : undefined;
  let cancel = (): void => undefined;
  let unwatch: (() => void) | undefined;
  const over = new Promise<unknown>((resolve, reject) => {
    cancel = answerTimeout.add(() => resolve(NO_ANSWER));
    if (signal === undefined) return;
    const abort = (): void => {
      const error = new SealcastError('ERR_ABORTED', 'the request was aborted', {
        cause: signal.reason,
      });
      cancel();
      cancel = SYSTEM_CLOCK.setTimeout(() => reject(error), GRACE_MS, { keepsAlive: true });
    };
    if (signal.aborted) abort();
    else unwatch = watch.add(signal, abort);
  });
  try {
    return await Promise.race([answer, over]);
  } finally {
    cancel();
    unwatch?.();
  }
}

/**
 * The service takes no request of this client any more: a refusal of all, however the transport
 * says it.
 */
const isTooOld = (outcome: unknown): boolean =>
  isObject(outcome) && outcome['status'] === 'rejected' && outcome['httpStatus'] === CLIENT_TOO_OLD;

type Method = (...args: unknown[]) => unknown;

function checked(target: object, request: string, forms: Forms): Method {
  return async (...args) => {
    let answer: unknown;
    try {
      // As it is now: a transport may replace its methods.
      const method: unknown = Reflect.get(target, request, target);
      answer = Reflect.apply(method as Method, target, args);
    } catch (cause) {
      if (cause instanceof SealcastError) throw cause;
      return nonsense(request, 'threw instead of returning a promise', cause);
    }
    const outcome = readAnswer(request, forms, await bounded(answer, args.at(-1)));
    if (isTooOld(outcome))
      throw refusedError(
        new Error(`transport.${request}: the service answered 499: client too old`),
        'expired',
      );
    return outcome;
  };
}

type TimeListener = (time: ServerTime) => void;
const TIME: Form = {
  serverMs: Number.isFinite,
  roundTripMs: (value) => Number.isFinite(value) && (value as number) >= 0,
};

/** Passes on no time but one of the promised form. */
function checkedTimes(target: Transport): (listener: TimeListener) => () => void {
  return (listener) => {
    const end: unknown = target.onServerTime?.((time: unknown) => {
      let fields: Fields;
      try {
        fields = { ...(time as ServerTime) };
      } catch {
        return;
      }
      if (faultOf(fields, TIME) === undefined) listener(fields as unknown as ServerTime);
    });
    if (typeof end !== 'function')
      refuse('transport.onServerTime', 'a function that returns one that ends it');
    return end as () => void;
  };
}

const checkedByTransport = new WeakMap<object, object>();

/**
 * The transport, whose answers have the form that {@link Transport} promises: one of another form
 * comes out as `rejected` with `httpStatus` 0, so that it fails only the request's recipient; a
 * malformed time is left out. A request's rejection passes through; it stops a broadcast, which can
 * be resumed. So does `rejected` with 499 (client too old), as ERR_TRANSPORT_REFUSED.
 *
 * @returns the same object for the same transport.
 */
export function checkedTransport<T extends Transport>(transport: T): T {
  const known = checkedByTransport.get(transport);
  if (known !== undefined) return known as T;
  const methods = new Map<PropertyKey, Method>(
    Object.entries(ANSWERS).map(([request, forms]) => [
      request,
      checked(transport, request, forms),
    ]),
  );
  const proxy = new Proxy<T>(transport, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name === 'onServerTime') return checkedTimes(target);
      // Private fields are the transport's own, not the proxy's.
      return (
        methods.get(name) ?? ((...args: unknown[]) => Reflect.apply(value as Method, target, args))
      );
    },
  });
  checkedByTransport.set(transport, proxy);
  checkedByTransport.set(proxy, proxy);
  return proxy;
}
