import { sealedSenderDecryptToUsmc } from '@signalapp/libsignal-client';
import type { AuthenticatedChatConnection } from '@signalapp/libsignal-client/dist/net.js';
import { decodeServiceEnvelope } from '#dist/src/content/index.js';
import { createClient, type Client } from './plain-client/client.js';
import { connectAs } from './plain-client/connect.js';
import { Inbox } from './plain-client/inbox.js';
import { decrypt, openUsmc } from './plain-client/read-message.js';
import { uploadPreKeys } from './plain-client/upload-prekeys.js';
import type { MockService } from '../mock-service/mock-service.js';

/** What a linked device decrypted, and who sent it. */
export interface ReceivedText {
  readonly text: string | undefined;
  readonly sender: string;
}

/**
 * A second device of a subscriber: a libsignal client that is connected to the service with an own
 * password, own prekeys and own sessions. The mock service has no client for it, and only the first
 * device of an account decrypts there.
 */
export class LinkedDevice implements AsyncDisposable {
  readonly deviceId: number;
  readonly #connection: AuthenticatedChatConnection;
  readonly #texts: AsyncGenerator<ReceivedText, void>;

  private constructor(client: Client, inbox: Inbox, connection: AuthenticatedChatConnection) {
    this.deviceId = client.account.deviceId;
    this.#connection = connection;
    this.#texts = read(client, inbox);
  }

  static async link(service: MockService, subscriber: string): Promise<LinkedDevice> {
    const client = createClient(await service.linkDevice(subscriber));
    const inbox = new Inbox();
    const connection = await connectAs(client.account, service.description, inbox);
    await uploadPreKeys(connection, client);
    return new LinkedDevice(client, inbox, connection);
  }

  /** The next sealed text that comes in. */
  async nextText(): Promise<ReceivedText> {
    const { value } = await this.#texts.next();
    if (value === undefined) throw new Error('the device is not connected any more');
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.disconnect();
  }
}

async function* read(client: Client, inbox: Inbox): AsyncGenerator<ReceivedText, void> {
  for await (const batch of inbox.batches()) {
    for (const { envelopeBytes, ack } of batch) {
      const { content } = decodeServiceEnvelope(envelopeBytes);
      const usmc = await sealedSenderDecryptToUsmc(content, client.stores.identities);
      const message = openUsmc(usmc.serialize());
      const { dataMessage } = await decrypt(client, message);
      ack.send(200);
      yield { text: dataMessage?.body, sender: message.sender.name() };
    }
  }
}
