import { randomBytes, X509Certificate } from 'node:crypto';
import { loadCertificates, Server, ServiceIdKind, type PrimaryDevice } from '@signalapp/mock-server';
import { Mailboxes } from './mailboxes.js';
import type { BroadcasterAccount, Calls, Decryption, LoggedRequest, ServiceDescription } from './protocol.js';
import { logRequests } from './request-log.js';

const MESSAGE_PATH = '/v1/messages/';

async function accountOf(primary: PrimaryDevice, password: string): Promise<BroadcasterAccount> {
  const { device } = primary;
  const identityKey = await primary.getIdentityKey(ServiceIdKind.ACI);
  return {
    aci: device.aci,
    number: device.checkedNumber,
    password,
    deviceId: device.deviceId,
    registrationId: device.getCheckedRegistrationId(ServiceIdKind.ACI),
    identityPrivateKey: identityKey.serialize(),
  };
}

/** Signal's mock service with one broadcaster and its subscribers. */
export class ServiceHost {
  private constructor(
    private readonly server: Server,
    private readonly broadcaster: PrimaryDevice,
    private readonly subscribers: readonly PrimaryDevice[],
    private readonly mailboxes: Mailboxes,
    readonly messageRequests: readonly LoggedRequest[],
    readonly description: ServiceDescription,
  ) {}

  static async start(
    uploadsPath: string,
    { subscriberCount }: Calls['start']['params'],
    onSubscriber: (subscribersMade: number) => void,
  ): Promise<ServiceHost> {
    const messageRequests = logRequests((verb, path) => verb === 'PUT' && path.startsWith(MESSAGE_PATH));

    // Without a directory for uploads the server breaks as it starts listening (27.0.0, 2026-11).
    const server = new Server({ cdn3Path: uploadsPath });
    await server.listen(0, 'localhost');

    const password = randomBytes(16).toString('hex');
    const broadcaster = await server.createPrimaryDevice({ profileName: 'Broadcaster', password });
    const mailboxes = new Mailboxes();
    const subscribers: PrimaryDevice[] = [];
    while (subscribers.length < subscriberCount) {
      // Without a number, an account has no second identity: half the keys to make, and sealed sender never uses it.
      const profileName = `Subscriber ${subscribers.length + 1}`;
      const subscriber = await server.createPrimaryDevice({ profileName, hasE164: false });
      void mailboxes.collectFrom(subscriber);
      subscribers.push(subscriber);
      onSubscriber(subscribers.length);
    }

    const { certificateAuthority, serverTrustRoots } = await loadCertificates();
    const [trustRoot] = serverTrustRoots;
    if (trustRoot === undefined) throw new Error('the mock service names no trust root');
    return new ServiceHost(server, broadcaster, subscribers, mailboxes, messageRequests, {
      port: server.address().port,
      caCertificateDer: new Uint8Array(new X509Certificate(certificateAuthority).raw),
      trustRoot: new Uint8Array(Buffer.from(trustRoot, 'base64')),
      broadcaster: await accountOf(broadcaster, password),
      subscribers: subscribers.map(({ device }) => device.aci),
    });
  }

  /**
   * Every subscriber sends a text with its profile key to the broadcaster, every second one of them sealed. The
   * broadcaster must be connected and have uploaded prekeys: a message counts as sent when its client has taken it.
   */
  async subscribersSayHello(text: string, onHello: (hellosTaken: number) => void): Promise<void> {
    const { device } = this.broadcaster;
    for (const [i, subscriber] of this.subscribers.entries()) {
      await subscriber.addSingleUseKey(device, await device.popSingleUseKey());
      await subscriber.sendText(device, text, { withProfileKey: true, sealed: i % 2 === 0 });
      onHello(i + 1);
    }
  }

  waitForDecrypted(
    { text, subscribers, idleTimeoutMs }: Calls['waitForDecrypted']['params'],
    onDecryption: (decryption: Decryption) => void,
  ): Promise<readonly Decryption[]> {
    return this.mailboxes.waitFor(text, subscribers, idleTimeoutMs, onDecryption);
  }

  /** Makes the service answer that this subscriber has no account any more. */
  unregister({ subscriber }: Calls['unregister']['params']): void {
    const found = this.subscribers.find(({ device }) => device.aci === subscriber);
    if (found === undefined) throw new Error(`${subscriber} is not a subscriber`);
    this.server.unregister(found);
  }
}
