import { describe, expect, it } from 'vitest';
import { deriveAccessKey, deriveAccessKeyVerifier } from '#dist/src/access/access-key.js';
import {
  DENIAL_LIFE_MS,
  onProfile,
  onProfileKey,
  onSealed,
  onSealedReceived,
  onTimePassed,
  onUnauthorized,
  type AccessMode,
  type AccessState,
} from '#dist/src/access/access-mode.js';

const KEY = new Uint8Array(32).fill(1);
const OTHER_KEY = new Uint8Array(32).fill(2);
const NOW_MS = 1_700_000_000_000;
const verifierOf = (key: Uint8Array): Uint8Array => deriveAccessKeyVerifier(deriveAccessKey(key));

const state = (accessMode: AccessMode, profileKey?: Uint8Array): AccessState => ({
  accessMode,
  accessDeniedMs: accessMode === 'disabled' ? NOW_MS : 0,
  profileFetchedMs: NOW_MS,
  ...(profileKey && { profileKey }),
});
const MODES: readonly AccessMode[] = ['unknown', 'enabled', 'unrestricted', 'disabled'];

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
    expect(onUnauthorized(contact, contact, undefined, NOW_MS)).toMatchObject({ accessMode: 'unknown' });
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
    expect(transition(state('disabled', KEY))).toMatchObject({ accessMode: 'unknown', accessDeniedMs: 0 });
  });

  it('stays so for less than a day, and is enabled by a sealed send that was on its way', () => {
    const contact = state('disabled', KEY);
    expect(onTimePassed(contact, NOW_MS + DENIAL_LIFE_MS - 1)).toBe(contact);
    expect(onSealed(contact, state('unknown', KEY))).toMatchObject({ accessMode: 'enabled', accessDeniedMs: 0 });
    expect(onSealed(contact, state('unknown', OTHER_KEY))).toBe(contact);
  });
});

describe('an event that says nothing new', () => {
  it.each(MODES.filter((mode) => mode !== 'disabled'))('leaves %s as it is, the very object', (mode) => {
    const contact = state(mode, KEY);
    expect(onProfileKey(contact, Uint8Array.from(KEY))).toBe(contact);
    expect(onSealedReceived(contact)).toBe(contact);
    expect(onTimePassed(contact, NOW_MS + 10 * DENIAL_LIFE_MS)).toBe(contact);
    if (mode !== 'unknown') expect(onSealed(contact, contact)).toBe(contact);
  });
});

describe('a profile', () => {
  it('of an older profile key proves access, and disproves none', () => {
    const contact = state('unknown', OTHER_KEY);
    const proves = { unrestricted: false, verifier: verifierOf(OTHER_KEY) };
    const disproves = { unrestricted: false, verifier: verifierOf(KEY) };
    expect(onProfile(contact, proves, KEY, NOW_MS)).toMatchObject({ accessMode: 'enabled', profileFetchedMs: 0 });
    expect(onProfile(contact, disproves, KEY, NOW_MS)).toMatchObject({ accessMode: 'unknown', profileFetchedMs: 0 });
    expect(onProfile(contact, disproves, OTHER_KEY, NOW_MS)).toMatchObject({
      accessMode: 'disabled',
      accessDeniedMs: NOW_MS,
      profileFetchedMs: NOW_MS,
    });
  });
});
