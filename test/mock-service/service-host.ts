import mockProtos from '@signalapp/mock-server/protos/compiled.js';
import { randomBytes, randomInt, X509Certificate } from 'node:crypto';
import {
  loadCertificates,
  Server,
  ServiceIdKind,
  type Device,
  type PrimaryDevice,
} from '@signalapp/mock-server';
import { accountState, putState, reregistered, restoreAccount } from './account-state.js';
import { Mailboxes } from './mailboxes.js';
import type {
  BroadcasterAccount,
  Calls,
  Decryption,
  DeviceAccount,
  LoggedRequest,
  ServiceDescription,
  ServiceState,
} from './protocol.js';
import { logRequests } from './request-log.js';
import { putUploadedKeys, uploadedKeys } from './uploaded-keys.js';

const MAX_REGISTRATION_ID = 16_380;

function newPassword(): string {
  return randomBytes(16).toString('hex');
}

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

interface Subscriber {
  readonly primary: PrimaryDevice;
  hasSaidHello: boolean;
}

/** Makes the subscribers of the state, and as many more as it takes. */
async function makeSubscribers(
  server: Server,
  state: ServiceState | undefined,
  count: number,
  onSubscriber: (subscribersMade: number) => void,
): Promise<Subscriber[]> {
  const subscribers: Subscriber[] = [];
  const known = state?.subscribers ?? [];
  while (subscribers.length < Math.max(count, known.length)) {
    const profileName = `Subscriber ${subscribers.length + 1}`;
    const before = known[subscribers.length];
    // Without a number, an account has no second identity: half the keys to make, and sealed sender
    // never uses it.
    const primary =
      before === undefined
        ? await server.createPrimaryDevice({ profileName, hasE164: false })
        : await restoreAccount(server, before, { profileName });
    subscribers.push({ primary, hasSaidHello: before?.hasSaidHello ?? false });
    if (subscribers.length <= count) onSubscriber(subscribers.length);
  }
  return subscribers;
}

/** Signal's mock service with one broadcaster and its subscribers. */
export class ServiceHost {
  /** Device that was linked last, whose client subscribers write to in place of the primary one. */
  private linked: Device | undefined;

  private constructor(
    private readonly server: Server,
    private readonly broadcaster: PrimaryDevice,
    private readonly subscribers: readonly Subscriber[],
    private readonly mailboxes: Mailboxes,
    readonly requests: readonly LoggedRequest[],
    readonly description: ServiceDescription,
  ) {}

  static async start(
    uploadsPath: string,
    { subscriberCount, state }: Calls['start']['params'],
    onSubscriber: (subscribersMade: number) => void,
  ): Promise<ServiceHost> {
    const requests = logRequests();

    // Without a directory for uploads the server breaks as it starts listening (27.0.0, 2026-11).
    const server = new Server({ cdn3Path: uploadsPath });
    await server.listen(0, 'localhost');

    const password = state?.broadcaster.password ?? newPassword();
    const broadcasterOptions = { profileName: 'Broadcaster', password };
    const broadcaster =
      state === undefined
        ? await server.createPrimaryDevice(broadcasterOptions)
        : await restoreAccount(server, state.broadcaster, broadcasterOptions);
    const uploaded = state?.broadcaster.uploaded;
    if (uploaded !== undefined) await putUploadedKeys(broadcaster, uploaded);
    const subscribers = await makeSubscribers(server, state, subscriberCount, onSubscriber);
    const mailboxes = new Mailboxes();
    for (const { primary } of subscribers) void mailboxes.collectFrom(primary);

    const { certificateAuthority, serverTrustRoots } = await loadCertificates();
    const [trustRoot] = serverTrustRoots;
    if (trustRoot === undefined) throw new Error('the mock service names no trust root');
    const listed = subscribers.slice(0, subscriberCount);
    return new ServiceHost(server, broadcaster, subscribers, mailboxes, requests, {
      port: server.address().port,
      caCertificateDer: new Uint8Array(new X509Certificate(certificateAuthority).raw),
      trustRoot: new Uint8Array(Buffer.from(trustRoot, 'base64')),
      broadcaster: await accountOf(broadcaster, password),
      subscribers: listed.map(({ primary }) => primary.device.aci),
      newcomers: listed
        .filter(({ hasSaidHello }) => !hasSaidHello)
        .map(({ primary }) => primary.device.aci),
    });
  }

  /**
   * Every newcomer sends a text with its profile key to the broadcaster, every second one of them
   * sealed. The broadcaster must be connected and have uploaded prekeys: a message counts as sent
   * when its client has taken it.
   */
  async subscribersSayHello(text: string, onHello: (hellosTaken: number) => void): Promise<void> {
    const device = this.linked ?? this.broadcaster.device;
    for (const [i, aci] of this.description.newcomers.entries()) {
      const subscriber = this.find(aci);
      await subscriber.primary.addSingleUseKey(device, await device.popSingleUseKey());
      await subscriber.primary.sendText(device, text, {
        withProfileKey: true,
        sealed: i % 2 === 0,
      });
      subscriber.hasSaidHello = true;
      onHello(i + 1);
    }
  }

  async scanCode({ url }: Calls['scanCode']['params']): Promise<number> {
    const pending = await this.server.waitForProvision();
    this.linked = await pending.complete({ provisionURL: url, primaryDevice: this.broadcaster });
    return this.linked.deviceId;
  }

  /** Waits for the next text that the broadcaster's linked device says it has sent. */
  async nextTranscript(): Promise<string> {
    for (;;) {
      const { syncMessage } = await this.broadcaster.waitForSyncMessage();
      const body = syncMessage.content?.sent?.message?.body;
      if (typeof body === 'string') return body;
    }
  }

  /** Resolves when the broadcaster's client has taken it. */
  async sendText({
    subscriber: aci,
    text,
    sealed,
    withProfileKey,
  }: Calls['sendText']['params']): Promise<void> {
    const device = this.linked ?? this.broadcaster.device;
    const subscriber = this.find(aci);
    if (!subscriber.hasSaidHello)
      await subscriber.primary.addSingleUseKey(device, await device.popSingleUseKey());
    subscriber.hasSaidHello = true;
    await subscriber.primary.sendText(device, text, { withProfileKey, sealed });
  }

  /** Resolves when the broadcaster's client has taken it. */
  async sendContent({
    subscriber: aci,
    content,
    file,
  }: Calls['sendContent']['params']): Promise<void> {
    const device = this.linked ?? this.broadcaster.device;
    await this.server.storeAttachmentOnCdn(3, file.name, Buffer.from(file.bytes));
    const decoded = mockProtos.signalservice.Content.decode(content);
    await this.find(aci).primary.sendRaw(device, decoded, { sealed: true });
  }

  waitForDecrypted(
    { text, subscribers, idleTimeoutMs }: Calls['waitForDecrypted']['params'],
    onDecryption: (decryption: Decryption) => void,
  ): Promise<readonly Decryption[]> {
    return this.mailboxes.waitFor(text, subscribers, idleTimeoutMs, onDecryption);
  }

  exportState(): ServiceState {
    const { password } = this.description.broadcaster;
    return {
      broadcaster: {
        ...accountState(this.broadcaster),
        password,
        uploaded: uploadedKeys(this.broadcaster),
      },
      subscribers: this.subscribers.map(({ primary, hasSaidHello }) => ({
        ...accountState(primary),
        hasSaidHello,
      })),
    };
  }

  answerRegistrations(answer: Calls['answerRegistrations']['params']): void {
    this.server.setRegisterResponseError(answer ?? undefined);
  }

  alertBroadcaster({ alert }: Calls['alertBroadcaster']['params']): void {
    this.server.setWebsocketUpgradeResponseHeaders({ 'X-Signal-Alert': alert });
  }

  /** Makes the service answer that this subscriber has no account any more. */
  unregister({ subscriber }: Calls['unregister']['params']): void {
    this.server.unregister(this.find(subscriber).primary);
  }

  async reregister({ subscriber }: Calls['reregister']['params']): Promise<void> {
    const { primary } = this.find(subscriber);
    await putState(primary, reregistered(accountState(primary)));
  }

  /** A new profile key, and the access key that follows from it. @returns the profile key */
  async rotateProfileKey({
    subscriber,
  }: Calls['rotateProfileKey']['params']): Promise<Uint8Array<ArrayBuffer>> {
    const { primary } = this.find(subscriber);
    const profileKey = new Uint8Array(randomBytes(32));
    await putState(primary, { ...accountState(primary), profileKey });
    return profileKey;
  }

  /**
   * Not `createSecondaryDevice`: a device of that has no password, so that no client can be it, and
   * what is sent to it is dropped. Its prekeys here are ones that nobody has the private half of,
   * until its client uploads its own.
   */
  async linkDevice({ subscriber }: Calls['linkDevice']['params']): Promise<DeviceAccount> {
    const { primary } = this.find(subscriber);
    const password = newPassword();
    const registrationId = randomInt(1, MAX_REGISTRATION_ID + 1) as Parameters<
      Server['registerDevice']
    >[0]['registrationId'];
    const device = await this.server.registerDevice({
      primary: primary.device,
      password,
      registrationId,
      pniRegistrationId: undefined,
    });
    await this.server.updateDeviceKeys(
      device,
      ServiceIdKind.ACI,
      await primary.generateKeys(device, ServiceIdKind.ACI),
    );
    primary.addSecondaryDevice(device);
    const identityKey = await primary.getIdentityKey(ServiceIdKind.ACI);
    return {
      aci: device.aci,
      password,
      deviceId: device.deviceId,
      registrationId,
      identityPrivateKey: identityKey.serialize(),
    };
  }

  async unlinkDevice({ subscriber, deviceId }: Calls['unlinkDevice']['params']): Promise<void> {
    const { primary } = this.find(subscriber);
    const device = primary.secondaryDevices.find((secondary) => secondary.deviceId === deviceId);
    if (device === undefined) throw new Error(`${subscriber} has no linked device ${deviceId}`);
    await primary.unlink(device);
    await this.server.removeDeviceByServiceId(primary.device.aci, device.deviceId);
  }

  private find(aci: string): Subscriber {
    const found = this.subscribers.find(({ primary }) => primary.device.aci === aci);
    if (found === undefined) throw new Error(`${aci} is not a subscriber`);
    return found;
  }
}
