import { describe, expect, it } from 'vitest';
import {
  checkCapabilities,
  effectiveCapabilities,
  LINKED_CAPABILITIES,
  PRIMARY_CAPABILITIES,
} from '#dist/src/access/capabilities.js';
import { refusedField } from '../harness/refusals.js';

const PRIMARY = { deviceId: 1 };
const LINKED = { deviceId: 2 };

describe('the capabilities of a device', () => {
  it('are what the service requires, and nothing that sealcast cannot do', () => {
    const names = ['spqr', 'usernameChangeSyncMessage', 'attachmentBackfill'];
    expect(Object.keys(PRIMARY_CAPABILITIES)).toEqual(names);
    expect(LINKED_CAPABILITIES).toEqual(Object.fromEntries(names.map((name) => [name, true])));
    expect(effectiveCapabilities(PRIMARY, undefined, {})).toEqual({
      spqr: true,
      usernameChangeSyncMessage: true,
      attachmentBackfill: false,
    });
    expect(effectiveCapabilities(LINKED, undefined, {})).toEqual(LINKED_CAPABILITIES);
  });

  it('are the given ones, else the stored ones, but for the default of a former version', () => {
    const given = { spqr: true, optionalPhoneNumber: true };
    const stored = { spqr: true, storage: true };
    expect(effectiveCapabilities(PRIMARY, given, { attributes: stored })).toEqual(given);
    expect(effectiveCapabilities(PRIMARY, undefined, { attributes: stored })).toEqual(stored);
    const former = { storage: true, attachmentBackfill: true, spqr: true };
    expect(effectiveCapabilities(PRIMARY, undefined, { attributes: former })).toEqual(
      PRIMARY_CAPABILITIES,
    );
  });

  it('are of a linked device those of the linking, and those that became the default since', () => {
    const linked = { spqr: true, attachmentBackfill: false, optionalPhoneNumber: true };
    expect(effectiveCapabilities(LINKED, undefined, { linked, attributes: {} })).toEqual({
      ...linked,
      usernameChangeSyncMessage: true,
    });
  });

  it.each([
    ['a list', ['spqr'], 'capabilities'],
    ['a name of other letters', { 'sp qr': true }, 'capabilities'],
    ['a value that is no flag', { spqr: 1 }, 'capabilities.spqr'],
    ['profiles_v2', { spqr: true, profiles_v2: true }, 'capabilities.profiles_v2'],
    ['null', null, 'capabilities'],
  ])('are refused as %s', (_what, given, field) => {
    expect(() => checkCapabilities(given, 'capabilities')).toThrow(
      expect.objectContaining(refusedField(field)) as Error,
    );
  });

  it('are copied, and may say what a device cannot do', () => {
    const given = { spqr: true, profiles_v2: false };
    const checked = checkCapabilities(given, 'capabilities');
    given.spqr = false;
    expect(checked).toEqual({ spqr: true, profiles_v2: false });
    expect(checkCapabilities(undefined, 'capabilities')).toBeUndefined();
  });
});
