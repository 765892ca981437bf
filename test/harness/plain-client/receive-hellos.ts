import { PublicKey } from '@signalapp/libsignal-client';
import { Sealer } from 'sealcast';
import type { MockService } from '../../mock-service/mock-service.js';
import { createClient } from './client.js';
import { connectAs } from './connect.js';
import { Inbox } from './inbox.js';
import { learnProfileKeys, type ProfileKeyLessons } from './learn-profile-keys.js';
import { uploadPreKeys } from './upload-prekeys.js';

/**
 * Lets the newcomers among the subscribers write, and learns the profile key of each. On a
 * connection of its own, which is closed before the broadcaster connects: an account's device has
 * one at a time.
 */
export async function receiveHellos(
  service: MockService,
  threads: number | undefined,
  onLearned: (profileKeysLearned: number) => void,
): Promise<ProfileKeyLessons> {
  const { broadcaster, trustRoot } = service.description;
  const client = createClient(broadcaster);
  const inbox = new Inbox();
  await using sealer = await Sealer.create({
    identityKeyPair: client.identityKeyPair,
    ...(threads !== undefined && { threads }),
  });
  const connection = await connectAs(broadcaster, service.description, inbox);
  try {
    await uploadPreKeys(connection, client);
    const learning = learnProfileKeys(
      inbox,
      client,
      sealer,
      PublicKey.deserialize(trustRoot),
      onLearned,
    );
    const hellos = service.subscribersSayHello().finally(() => inbox.end());
    const [lessons] = await Promise.all([learning, hellos]);
    return lessons;
  } finally {
    await connection.disconnect();
  }
}
