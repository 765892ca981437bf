import type { PublicKey } from '@signalapp/libsignal-client';
import type { Sealer } from 'sealcast';
import {
  decodeServiceEnvelope,
  SERVICE_ENVELOPE_TYPE,
  type ServiceEnvelope,
} from '#dist/src/content/index.js';
import type { Client } from './client.js';
import type { Inbox, IncomingMessage } from './inbox.js';
import { decrypt, openUnsealed, openUsmc, type RatchetMessage } from './read-message.js';

export interface ProfileKeyLessons {
  /** By service id. */
  readonly profileKeys: ReadonlyMap<string, Uint8Array>;
  /** Why messages could not be read. */
  readonly errors: readonly Error[];
}

/** Decrypts with libsignal and gives the profile key inside. */
async function readProfileKey(client: Client, message: RatchetMessage): Promise<Uint8Array> {
  const { dataMessage } = await decrypt(client, message);
  if (dataMessage?.profileKey === undefined)
    throw new Error('a message came without a profile key');
  return dataMessage.profileKey;
}

/**
 * Reads what the subscribers send until the inbox ends, and keeps the profile key that each of them
 * wrote. Sealed envelopes are unsealed with sealcast, a batch at a time; what is in them, and what
 * came unsealed, libsignal decrypts.
 */
export async function learnProfileKeys(
  inbox: Inbox,
  client: Client,
  sealer: Sealer,
  trustRoot: PublicKey,
  onLearned: (profileKeysLearned: number) => void,
): Promise<ProfileKeyLessons> {
  const profileKeys = new Map<string, Uint8Array>();
  const errors: Error[] = [];

  const learn = async (open: () => RatchetMessage): Promise<void> => {
    try {
      const message = open();
      profileKeys.set(message.sender.name(), await readProfileKey(client, message));
      onLearned(profileKeys.size);
    } catch (error) {
      errors.push(error as Error);
    }
  };

  for await (const batch of inbox.batches()) {
    const sealed: ServiceEnvelope[] = [];
    for (const envelope of batch.flatMap((incoming) => decodeOrCollect(incoming, errors))) {
      if (envelope.type === SERVICE_ENVELOPE_TYPE.unidentifiedSender) sealed.push(envelope);
      else await learn(() => openUnsealed(envelope));
    }
    for (const result of await unsealAll(sealer, sealed, trustRoot)) {
      await learn(() => {
        if (!result.ok) throw result.error;
        return openUsmc(result.content);
      });
    }
    // Only now: what was not acknowledged would come again after a crash.
    for (const { ack } of batch) ack.send(200);
  }
  return { profileKeys, errors };
}

async function unsealAll(
  sealer: Sealer,
  envelopes: readonly ServiceEnvelope[],
  trustRoot: PublicKey,
): ReturnType<Sealer['unseal']> {
  if (envelopes.length === 0) return [];
  // Certificates are judged at the time of the youngest envelope, so that none is taken past its
  // end.
  const timestamp = Math.max(
    ...envelopes.map(({ serverTimestamp }) => Number(serverTimestamp ?? 0)),
  );
  const contents = envelopes.map(({ content }) => content);
  return sealer.unseal(contents, { trustRoots: [trustRoot], timestamp });
}

function decodeOrCollect({ envelopeBytes }: IncomingMessage, errors: Error[]): ServiceEnvelope[] {
  try {
    return [decodeServiceEnvelope(envelopeBytes)];
  } catch (error) {
    errors.push(error as Error);
    return [];
  }
}
