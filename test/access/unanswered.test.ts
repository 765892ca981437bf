import { describe, expect, it } from 'vitest';
import { onAccepted } from '#dist/src/access/contact-identity.js';
import { withPrimaryBlock } from '#dist/src/access/contact-sync.js';
import { mayBeDropped, onAddressed, onBegunByMessage } from '#dist/src/access/unanswered.js';
import { mergedContact, movedContact } from '#dist/src/import/contacts.js';
import { Tally } from '#dist/src/import/counts.js';
import { decodeContact, encodeContact, NEW_CONTACT } from '#dist/src/store/tables/contacts.js';

const UNANSWERED = onBegunByMessage(NEW_CONTACT);
const RECIPIENT = {
  profileKey: undefined,
  timer: undefined,
  isBlocked: false,
  needsPniSignature: false,
  concludedMode: 'unknown',
} as const;

describe('a contact that began with a message', () => {
  it('may be dropped, also as the store has it', () => {
    expect(mayBeDropped(UNANSWERED)).toBe(true);
    expect(decodeContact(encodeContact(UNANSWERED))).toEqual(UNANSWERED);
  });

  it.each([
    ['blocked', { blocked: true }],
    ['with a new identity key that waits', { pendingIdentityKey: new Uint8Array(33) }],
    ['with a profile key of the phone', { profileKeySynced: true }],
  ])('may not be dropped: %s', (_what, fields) => {
    expect(mayBeDropped({ ...UNANSWERED, ...fields })).toBe(false);
  });

  it('stays unanswered when its new identity key is taken over, until a caller accepts one', () => {
    const waiting = { ...UNANSWERED, pendingIdentityKey: new Uint8Array(33) };
    expect(mayBeDropped(onAccepted(waiting))).toBe(true);
    expect(mayBeDropped(onAddressed(onAccepted(waiting)))).toBe(false);
  });

  it('is answered once the phone blocks it, also when the phone unblocks it', () => {
    const unblocked = withPrimaryBlock(withPrimaryBlock(UNANSWERED, true), false);
    expect(unblocked.blocked).toBe(false);
    expect(mayBeDropped(unblocked)).toBe(false);
  });

  it('is answered once it is imported, though the import has no news of it', () => {
    expect(mergedContact(UNANSWERED, RECIPIENT, new Tally())).toEqual(NEW_CONTACT);
    const parts = {
      recipient: { ...RECIPIENT, isBlocked: true },
      identity: undefined,
      devices: [],
    };
    expect(movedContact(UNANSWERED, parts, 1, new Tally())?.unanswered).toBeUndefined();
  });
});

describe('a contact that an earlier version stored', () => {
  it('may not be dropped', () => {
    expect(mayBeDropped(decodeContact(encodeContact(NEW_CONTACT)))).toBe(false);
  });

  it('is the same object once it is answered', () => {
    expect(onAddressed(NEW_CONTACT)).toBe(NEW_CONTACT);
  });
});
