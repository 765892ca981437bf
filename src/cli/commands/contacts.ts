import { listContacts, type ContactSummary } from '../../account/contact-list.js';
import type { CommandContext } from '../context.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { plural } from '../progress.js';

/** `sealcast contacts` */
export async function contacts({ line, terminal, openStore }: CommandContext): Promise<ExitCode> {
  await using store = await openStore();
  let all = 0;
  let sealable = 0;
  for await (const contact of listContacts(store)) {
    all += 1;
    if (contact.canSeal && !contact.blocked) sealable += 1;
    if (line.has('json')) await terminal.json(contact);
    else await terminal.data(`${contact.serviceId}  ${wordsFor(contact)}`);
  }
  terminal.say(`${plural(all, 'contact')}, ${sealable} that can be sealed to`);
  return EXIT.done;
}

function wordsFor({ canSeal, blocked, hasPendingIdentity }: ContactSummary): string {
  return [
    canSeal ? 'sealed' : 'no access key',
    ...(blocked ? ['blocked'] : []),
    ...(hasPendingIdentity ? ['new identity key waits'] : []),
  ].join(', ');
}
