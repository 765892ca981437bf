/*
 * Whether a contact is unanswered: known by their own messages alone. This file is the only one
 * that says so. Any account can make such contacts, so their number is bounded: the oldest are
 * dropped (receive/unanswered-pruner.ts).
 *
 *   onBegunByMessage   a message of an unknown sender began the contact          unanswered
 *   onAddressed        a broadcast goes to them; a caller set something of       answered, for good
 *                      them, blocked them, accepted their identity key or
 *                      imported them; the phone's lists have them
 *
 * Receipts, requests to send again and fetched profiles change nothing.
 */
import type { ContactRecord } from '../store/tables/contacts.js';

/** A message of a sender that was not known began this contact. */
export const onBegunByMessage = (contact: ContactRecord): ContactRecord => ({
  ...contact,
  unanswered: true,
});

/**
 * We wrote to the contact, or a caller or another device of the account named them.
 *
 * @returns the same contact where nothing is new.
 */
export function onAddressed(contact: ContactRecord): ContactRecord {
  return contact.unanswered === undefined ? contact : withoutMark(contact);
}

const withoutMark = ({ unanswered: _unanswered, ...answered }: ContactRecord): ContactRecord =>
  answered;

/**
 * Whether the contact's record allows that it is dropped. Records of earlier versions do not: these
 * do not tell whether we wrote to the contact.
 */
export const mayBeDropped = ({
  unanswered,
  blocked,
  pendingIdentityKey,
  profileKeySynced,
  leftLists,
}: ContactRecord): boolean =>
  unanswered === true &&
  !blocked &&
  pendingIdentityKey === undefined &&
  profileKeySynced !== true &&
  (leftLists ?? []).length === 0;
