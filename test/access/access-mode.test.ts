import { describe, expect, it } from 'vitest';
import { deriveAccessKey, deriveAccessKeyVerifier } from '#dist/src/access/access-key.js';
import {
  DENIAL_LIFE_MS,
  NEW_ACCESS,
  accessKeyFor,
  isUnproven,
  maySend,
  onProfile,
  onProfileKey,
  onSealed,
  onSealedReceived,
  onTimePassed,
  onUnauthorized,
  takesSealed,
  type AccessMode,
  type AccessState,
} from '#dist/src/access/access-mode.js';

const KEY = new Uint8Array(32).fill(1);
const OTHER_KEY = new Uint8Array(32).fill(2);
const NOW_MS = 1_700_000_000_000;
const LATER_MS = NOW_MS + 1000;
const verifierOf = (key: Uint8Array): Uint8Array => deriveAccessKeyVerifier(deriveAccessKey(key));

const state = (accessMode: AccessMode, profileKey?: Uint8Array): AccessState => ({
  accessMode,
  accessDeniedMs: accessMode === 'disabled' ? NOW_MS : 0,
  profileFetchedMs: NOW_MS,
  ...(profileKey && { profileKey }),
});
const MODES: readonly AccessMode[] = ['unknown', 'enabled', 'unrestricted', 'disabled'];

/** Contacts in every state: each mode, with and without a profile key. */
const CONTACTS = MODES.flatMap((mode) => [state(mode, KEY), state(mode)]);
const titleOf = ({ accessMode, profileKey }: AccessState): string =>
  `${accessMode}${profileKey === undefined ? '' : ' + key'}`;

const RIGHT = { unrestricted: false, verifier: verifierOf(KEY) };
const WRONG = { unrestricted: false, verifier: verifierOf(OTHER_KEY) };
const NEITHER = { unrestricted: false };
const OPEN = { unrestricted: true };

/** What an event that listens to the state alone makes of it; `same`: the very object. */
type Row = readonly [
  string,
  (contact: AccessState) => AccessState | 'ask',
  Readonly<Record<string, AccessMode | 'same' | 'ask'>>,
];
const all = <Outcome>(keyed: Outcome, keyless: Outcome): Record<string, Outcome> =>
  Object.fromEntries(
    CONTACTS.map((contact) => [titleOf(contact), contact.profileKey ? keyed : keyless]),
  );
const denied =
  (evidence?: Parameters<typeof onUnauthorized>[2]) =>
  (contact: AccessState): AccessState | 'ask' =>
    onUnauthorized(contact, contact, evidence, LATER_MS);

const same = all<'same'>('same', 'same');
const deniedKeyed = (mode: AccessMode): Record<string, AccessMode> => ({
  ...all(mode, 'disabled'),
  // The derived key was not tried: no evidence is needed for one more try.
  'unrestricted + key': 'unknown',
});

/** Every event, with every kind of evidence, in every state. */
const TABLE: readonly Row[] = [
  [
    'onSealed with the access that the contact has',
    (contact) => onSealed(contact, contact),
    {
      'unknown + key': 'enabled',
      unknown: 'unrestricted',
      'enabled + key': 'same',
      enabled: 'same',
      'unrestricted + key': 'same',
      unrestricted: 'same',
      'disabled + key': 'enabled',
      disabled: 'unrestricted',
    },
  ],
  [
    'onSealed with another profile key',
    (contact) => onSealed(contact, state('unknown', OTHER_KEY)),
    same,
  ],
  [
    'onUnauthorized without evidence',
    denied(),
    { ...all<AccessMode | 'ask'>('ask', 'ask'), 'unrestricted + key': 'unknown' },
  ],
  ['onUnauthorized, the account exists', denied('exists'), deniedKeyed('disabled')],
  [
    'onUnauthorized, verifier of the key',
    denied(RIGHT),
    { ...deniedKeyed('enabled'), 'enabled + key': 'same' },
  ],
  ['onUnauthorized, verifier of another key', denied(WRONG), deniedKeyed('disabled')],
  ['onUnauthorized, no verifier', denied(NEITHER), deniedKeyed('disabled')],
  [
    'onUnauthorized, unrestricted',
    denied(OPEN),
    {
      ...all<AccessMode | 'same'>('unrestricted', 'unrestricted'),
      'unrestricted + key': 'unknown',
      unrestricted: 'same',
    },
  ],
  [
    'onUnauthorized of another access',
    (contact) => onUnauthorized(contact, state('unknown', OTHER_KEY), 'exists', LATER_MS),
    same,
  ],
  [
    'onProfile, verifier of the key',
    (contact) => onProfile(contact, RIGHT, contact.profileKey, LATER_MS),
    all<AccessMode>('enabled', 'disabled'),
  ],
  [
    'onProfile, verifier of another key',
    (contact) => onProfile(contact, WRONG, contact.profileKey, LATER_MS),
    all<AccessMode>('disabled', 'disabled'),
  ],
  [
    'onProfile, no verifier',
    (contact) => onProfile(contact, NEITHER, contact.profileKey, LATER_MS),
    all<AccessMode>('disabled', 'disabled'),
  ],
  [
    'onProfile, unrestricted',
    (contact) => onProfile(contact, OPEN, contact.profileKey, LATER_MS),
    all<AccessMode>('unrestricted', 'unrestricted'),
  ],
  [
    'onProfileKey, the same key',
    (contact) => onProfileKey(contact, KEY),
    { ...all<AccessMode | 'same'>('same', 'unknown'), 'disabled + key': 'unknown' },
  ],
  [
    'onProfileKey, another key',
    (contact) => onProfileKey(contact, OTHER_KEY),
    all<AccessMode>('unknown', 'unknown'),
  ],
  [
    'onSealedReceived',
    onSealedReceived,
    { ...same, 'disabled + key': 'unknown', disabled: 'unknown' },
  ],
  [
    'onTimePassed, too early',
    (contact) => onTimePassed(contact, NOW_MS + DENIAL_LIFE_MS - 1),
    same,
  ],
  [
    'onTimePassed, a day',
    (contact) => onTimePassed(contact, NOW_MS + DENIAL_LIFE_MS),
    { ...same, 'disabled + key': 'unknown', disabled: 'unknown' },
  ],
];
const CASES = TABLE.flatMap(([event, transition, outcomes]) =>
  CONTACTS.map((contact) => ({
    event,
    from: titleOf(contact),
    to: outcomes[titleOf(contact)],
    contact,
    transition,
  })),
);

describe('the transition table', () => {
  it.each(CASES)('$event: $from becomes $to', ({ contact, transition, to }) => {
    const before = structuredClone(contact);
    const after = transition(contact);
    expect(contact).toEqual(before);
    if (to === 'ask') expect(after).toBe('ask');
    else if (to === 'same') expect(after).toBe(contact);
    else {
      expect(after).toMatchObject({ accessMode: to });
      const { accessDeniedMs } = after as AccessState;
      if (to === 'disabled') expect([NOW_MS, LATER_MS]).toContain(accessDeniedMs);
      else expect(accessDeniedMs).toBe(0);
    }
  });

  it('has an outcome for each state and event, and reaches every mode', () => {
    expect(CASES.filter(({ to }) => to === undefined)).toEqual([]);
    expect(new Set(CASES.map(({ to }) => to))).toEqual(new Set([...MODES, 'same', 'ask']));
  });
});

describe('a new contact', () => {
  it('has the access mode unknown, is neither denied nor fetched, and takes the first transition', () => {
    expect(NEW_ACCESS).toEqual({ accessMode: 'unknown', accessDeniedMs: 0, profileFetchedMs: 0 });
    expect(onSealed(NEW_ACCESS, NEW_ACCESS)).toMatchObject({ accessMode: 'unrestricted' });
    expect(isUnproven(NEW_ACCESS)).toBe(true);
  });
});

describe('the content that leaves for a contact', () => {
  const ACI = '9d0652a3-dcc3-4d11-975f-74d61598733f';
  const derived = deriveAccessKey(KEY);
  const zeros = new Uint8Array(16);

  it.each([
    ['unknown + key', derived],
    ['unknown', zeros],
    ['enabled + key', derived],
    ['enabled', zeros],
    ['unrestricted + key', zeros],
    ['unrestricted', zeros],
    ['disabled + key', null],
    ['disabled', null],
  ] as const)('%s: the key of the table', (title, key) => {
    const contact = CONTACTS.find((each) => titleOf(each) === title)!;
    expect(accessKeyFor(ACI, contact)).toEqual(key);
    expect(takesSealed(ACI, contact)).toBe(key !== null);
    expect(accessKeyFor(`PNI:${ACI}`, contact)).toBeNull();
  });

  it.each([
    [true, 'never', true],
    [true, 'when-denied', true],
    [false, 'never', false],
    [false, 'when-denied', true],
  ] as const)('sealed %s, fallback %s: may leave: %s', (isSealed, unsealedFallback, may) => {
    expect(maySend(isSealed, { unsealedFallback })).toBe(may);
  });
});

describe('the access mode after a 401', () => {
  it.each([
    ['unknown', KEY, { unrestricted: false, verifier: verifierOf(KEY) }, 'enabled'],
    ['enabled', KEY, { unrestricted: false, verifier: verifierOf(OTHER_KEY) }, 'disabled'],
    ['enabled', KEY, { unrestricted: true }, 'unrestricted'],
    ['enabled', KEY, { unrestricted: false }, 'disabled'],
    ['unknown', undefined, { unrestricted: false, verifier: verifierOf(KEY) }, 'disabled'],
    ['unrestricted', undefined, { unrestricted: true }, 'unrestricted'],
    ['unrestricted', undefined, 'exists', 'disabled'],
    ['enabled', KEY, 'exists', 'disabled'],
  ] as const)('%s, with evidence', (mode, key, evidence, expected) => {
    const contact = state(mode, key);
    expect(onUnauthorized(contact, contact, undefined, NOW_MS)).toBe('ask');
    const after = onUnauthorized(contact, contact, evidence, NOW_MS);
    const accessDeniedMs = expected === 'disabled' ? NOW_MS : 0;
    expect(after).toMatchObject({ accessMode: expected, accessDeniedMs });
  });

  it('of an unrestricted contact with a profile key is unknown, without evidence', () => {
    const contact = state('unrestricted', KEY);
    expect(onUnauthorized(contact, contact, undefined, NOW_MS)).toMatchObject({
      accessMode: 'unknown',
    });
  });

  it('is what it is where access was learned since', () => {
    const contact = state('unknown', OTHER_KEY);
    expect(onUnauthorized(contact, state('unknown', KEY), 'exists', NOW_MS)).toBe(contact);
    expect(onUnauthorized(contact, state('enabled', OTHER_KEY), 'exists', NOW_MS)).toBe(contact);
  });
});

describe('a disabled contact', () => {
  it.each([
    ['the same profile key', (contact: AccessState) => onProfileKey(contact, KEY)],
    ['another profile key', (contact: AccessState) => onProfileKey(contact, OTHER_KEY)],
    ['a sealed message of theirs', (contact: AccessState) => onSealedReceived(contact)],
    ['a day', (contact: AccessState) => onTimePassed(contact, NOW_MS + DENIAL_LIFE_MS)],
    ['a clock that was set back', (contact: AccessState) => onTimePassed(contact, NOW_MS - 1)],
  ])('is unknown after %s', (_title, transition) => {
    expect(transition(state('disabled', KEY))).toMatchObject({
      accessMode: 'unknown',
      accessDeniedMs: 0,
    });
  });

  it('stays so for less than a day, and is enabled by a sealed send that was on its way', () => {
    const contact = state('disabled', KEY);
    expect(onTimePassed(contact, NOW_MS + DENIAL_LIFE_MS - 1)).toBe(contact);
    expect(onSealed(contact, state('unknown', KEY))).toMatchObject({
      accessMode: 'enabled',
      accessDeniedMs: 0,
    });
    expect(onSealed(contact, state('unknown', OTHER_KEY))).toBe(contact);
  });
});

describe('an event that says nothing new', () => {
  it.each(MODES.filter((mode) => mode !== 'disabled'))(
    'leaves %s as it is, the very object',
    (mode) => {
      const contact = state(mode, KEY);
      expect(onProfileKey(contact, Uint8Array.from(KEY))).toBe(contact);
      expect(onSealedReceived(contact)).toBe(contact);
      expect(onTimePassed(contact, NOW_MS + 10 * DENIAL_LIFE_MS)).toBe(contact);
      if (mode !== 'unknown') expect(onSealed(contact, contact)).toBe(contact);
    },
  );
});

describe('a profile', () => {
  it('of an older profile key proves access, and disproves none', () => {
    const contact = state('unknown', OTHER_KEY);
    const proves = { unrestricted: false, verifier: verifierOf(OTHER_KEY) };
    const disproves = { unrestricted: false, verifier: verifierOf(KEY) };
    expect(onProfile(contact, proves, KEY, NOW_MS)).toMatchObject({
      accessMode: 'enabled',
      profileFetchedMs: 0,
    });
    expect(onProfile(contact, disproves, KEY, NOW_MS)).toMatchObject({
      accessMode: 'unknown',
      profileFetchedMs: 0,
    });
    expect(onProfile(contact, disproves, OTHER_KEY, NOW_MS)).toMatchObject({
      accessMode: 'disabled',
      accessDeniedMs: NOW_MS,
      profileFetchedMs: NOW_MS,
    });
  });
});
