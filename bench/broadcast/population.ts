// Recipients of the broadcasts: accounts in a store, each with a session that was answered.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Change, Store } from 'sealcast';
import { NEW_CONTACT, encodeContact } from '#dist/src/store/tables/contacts.js';
import type { SenderKeys } from './sender-keys.js';

export interface Member {
  readonly aci: string;
  readonly deviceId: number;
  readonly registrationId: number;
  /** 33 bytes */
  readonly identityKey: Uint8Array;
  /** Our session with it, serialized. */
  readonly session: Uint8Array;
}

const MAKER_PATH = fileURLToPath(new URL('./make-members.js', import.meta.url));
const PROFILE_KEY_BYTES = 32;

/** Two processes make them; they arrive a few hundred at a time. */
export async function populate(
  store: Store,
  sender: SenderKeys,
  count: number,
  onProgress: (made: number) => void,
): Promise<string[]> {
  const acis: string[] = [];
  const makers = [Math.ceil(count / 2), Math.floor(count / 2)].filter((share) => share > 0);
  await Promise.all(
    makers.map(
      (share) =>
        new Promise<void>((resolve, reject) => {
          const maker = fork(MAKER_PATH, [String(share)], { serialization: 'advanced' });
          let pending = Promise.resolve();
          maker.on('message', (members: readonly Member[]) => {
            acis.push(...members.map(({ aci }) => aci));
            pending = pending.then(() => store.commit(members.flatMap(changesOf)));
            pending.then(
              () => {
                onProgress(acis.length);
                // The next ones are made once these are on the disk: they would pile up in memory.
                if (maker.connected) maker.send('more');
              },
              (error: unknown) => {
                reject(error instanceof Error ? error : new Error(String(error)));
                maker.kill();
              },
            );
          });
          maker.once('error', reject);
          maker.once('exit', (code) => {
            if (code === 0) pending.then(resolve, reject);
            else reject(new Error(`a maker of recipients ended with ${code}`));
          });
          maker.send(sender);
        }),
    ),
  );
  return acis;
}

function changesOf({ aci, deviceId, registrationId, identityKey, session }: Member): Change[] {
  const contact = {
    ...NEW_CONTACT,
    accessMode: 'enabled' as const,
    profileKey: crypto.getRandomValues(new Uint8Array(PROFILE_KEY_BYTES)),
    identityKey,
    devices: [{ deviceId, registrationId }],
  };
  return [
    { table: 'contact', key: aci, value: encodeContact(contact) },
    { table: 'session', key: `${aci}.${deviceId}`, value: session },
  ];
}
