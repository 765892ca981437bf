import { MemoryStore } from 'sealcast';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { broadcast, succeeded, type BroadcastReport } from '../../examples/broadcast/broadcast.js';
import { connectAs } from '../harness/plain-client/connect.js';
import { netOf } from '../mock-service/net.js';
import { Inbox } from '../harness/plain-client/inbox.js';
import { silentReporter, type Reporter } from '../../examples/broadcast/reporter.js';
import { summarize } from '../../examples/broadcast/summary.js';
import { MockService, type LoggedRequest } from '../mock-service/mock-service.js';
import { identifiersOf, senderIdentityIn } from '../harness/sender-identity.js';

const SUBSCRIBERS = 20;
const MESSAGE = 'Grüße an alle: 明日 18 Uhr 🌍';

describe('a broadcast to 20 subscribers', () => {
  let service: MockService;
  let report: BroadcastReport;
  let requests: readonly LoggedRequest[];

  beforeAll(async () => {
    service = await MockService.start({ subscribers: SUBSCRIBERS });
    report = await broadcast(
      service,
      { message: MESSAGE, threads: 2, store: new MemoryStore() },
      silentReporter,
    );
    requests = await service.messageRequests();
  });
  afterAll(() => service.close());

  test('reaches every subscriber, so that the command exits with 0', () => {
    expect(report.failures).toEqual([]);
    expect(report).toMatchObject({
      subscribers: SUBSCRIBERS,
      sealed: SUBSCRIBERS,
      decrypted: SUBSCRIBERS,
    });
    expect(succeeded(report)).toBe(true);
  });

  test('shows every subscriber the very text, and the broadcaster as its sender, once', async () => {
    const { subscribers, broadcaster } = service.description;
    const decryptions = await service.waitForDecrypted(MESSAGE);
    expect(decryptions).toHaveLength(SUBSCRIBERS);
    expect(new Set(decryptions)).toEqual(
      new Set(
        subscribers.map((subscriber) => ({ subscriber, text: MESSAGE, sender: broadcaster.aci })),
      ),
    );
  });

  test('sends one request to each subscriber, and the service takes each', () => {
    const paths = service.description.subscribers.map((subscriber) => `/v1/messages/${subscriber}`);
    expect(requests.map(({ path }) => path).sort()).toEqual(paths.sort());
    expect(requests.map(({ status }) => status)).toEqual(paths.map(() => 200));
  });

  test('says in no request who sent it', () => {
    const findings = requests.map((request) =>
      senderIdentityIn(request, service.description.broadcaster),
    );
    expect(findings).toEqual(requests.map(() => []));
  });

  test('gives each request the access key of its subscriber, and none that another one has', () => {
    const accessKeys = requests.map(({ headers }) =>
      new Map(headers).get('unidentified-access-key'),
    );
    expect(new Set(accessKeys).size).toBe(SUBSCRIBERS);
    for (const accessKey of accessKeys)
      expect(Buffer.from(accessKey ?? '', 'base64')).toHaveLength(16);
  });

  test('summarizes what was done without a secret', () => {
    const summary = summarize(report);
    expect(summary).toMatch(/^broadcast +\d+\.\d{3} s +[\d,]+$/m);
    expect(summary).toMatch(/^sealed +20$/m);
    expect(summary).toMatch(/^failed +0$/m);
    expect(summary).toMatch(/^decrypted +20 of 20$/m);
    expect(summary).toMatch(/^profile keys learned +20 of 20$/m);
    expect(summary).toMatch(/^sessions begun from prekeys +0 of 20$/m);
    expect(summary).toMatch(/^certificates fetched +1$/m);
    expect(summary).toMatch(/^kernel +\w+, 2 threads$/m);
    for (const [, identifier] of identifiersOf(service.description.broadcaster)) {
      expect(Buffer.from(summary).includes(identifier)).toBe(false);
    }
  });
});

describe('the search for a sender’s identity', () => {
  let service: MockService;
  let innocent: LoggedRequest;

  beforeAll(async () => {
    service = await MockService.start({ subscribers: 1 });
    await broadcast(
      service,
      { message: MESSAGE, threads: 1, store: new MemoryStore() },
      silentReporter,
    );
    const [request] = await service.messageRequests();
    if (request === undefined) throw new Error('the service logged no request');
    innocent = request;
  });
  afterAll(() => service.close());

  function withBody(
    change: (body: { messages: Record<string, unknown>[] }) => object,
  ): LoggedRequest {
    const body = JSON.parse(Buffer.from(innocent.body).toString()) as {
      messages: Record<string, unknown>[];
    };
    return { ...innocent, body: new TextEncoder().encode(JSON.stringify(change(body))) };
  }

  test('finds each identifier wherever it is planted', () => {
    const { broadcaster } = service.description;
    expect(senderIdentityIn(innocent, broadcaster)).toEqual([]);
    for (const [name, identifier] of identifiersOf(broadcaster)) {
      const text = identifier.toString('latin1');
      const inContent = Buffer.concat([Buffer.alloc(7), identifier, Buffer.alloc(7)]).toString(
        'base64',
      );
      const planted: LoggedRequest[] = [
        withBody((body) => ({ ...body, messages: [{ type: 6, content: inContent }] })),
      ];
      // In a header, a path or a JSON body only what is text can stand.
      if (/^[\x20-\x7e]+$/.test(text)) {
        planted.push(
          { ...innocent, path: `${innocent.path}?from=${text}` },
          { ...innocent, headers: [...innocent.headers, ['x-from', text]] },
          {
            ...innocent,
            connectionHeaders: [...innocent.connectionHeaders, ['user-agent', `client of ${text}`]],
          },
          withBody((body) => ({ ...body, timestamp: text })),
        );
      }
      for (const request of planted)
        expect(senderIdentityIn(request, broadcaster)).toContain(`the ${name}`);
    }
  });

  test('finds a field, an envelope type or a header that has no business there', () => {
    const { broadcaster } = service.description;
    const withMessage = (change: object): LoggedRequest =>
      withBody((body) => ({
        ...body,
        messages: body.messages.map((message) => ({ ...message, ...change })),
      }));
    const suspects: [LoggedRequest, string][] = [
      [withBody((body) => ({ ...body, source: 'x' })), 'a field named source'],
      [withMessage({ sourceDeviceId: 1 }), 'a field named sourceDeviceId'],
      [withMessage({ type: 1 }), 'an envelope of type 1'],
      [
        { ...innocent, headers: [...innocent.headers, ['authorization', 'Basic eDp5']] },
        'an Authorization header',
      ],
    ];
    for (const [request, finding] of suspects)
      expect(senderIdentityIn(request, broadcaster)).toEqual([finding]);
  });

  test('finds a request that really was sent as the account, by its connection or by its own header', async () => {
    const { subscribers, broadcaster } = service.description;
    const { aci, deviceId, password } = broadcaster;
    const authenticated = await connectAs(broadcaster, service.description, new Inbox());
    const nobody = { onConnectionInterrupted: () => undefined };
    const unauthenticated = await netOf(service.description).connectUnauthenticatedChat(nobody);
    const path = `/v1/messages/${subscribers[0] ?? ''}`;
    const body = new TextEncoder().encode(JSON.stringify({ messages: [], timestamp: 1 }));
    const basic = Buffer.from(`${aci}.${deviceId}:${password}`).toString('base64');
    try {
      await authenticated.fetch({ verb: 'PUT', path, headers: [], body });
      await unauthenticated.fetch({
        verb: 'PUT',
        path,
        headers: [['authorization', `Basic ${basic}`]],
        body,
      });
    } finally {
      await Promise.all([authenticated.disconnect(), unauthenticated.disconnect()]);
    }
    const [innocentFindings, byConnection, byHeader, ...others] = (
      await service.messageRequests()
    ).map((request) => senderIdentityIn(request, broadcaster));
    expect(innocentFindings).toEqual([]);
    expect(byConnection).toContain('it was authenticated');
    expect(byHeader).toEqual(
      expect.arrayContaining([
        'it was authenticated',
        'an Authorization header',
        'the service id as text',
      ]),
    );
    expect(others).toEqual([]);
  });
});

describe('a broadcast that goes wrong', () => {
  let service: MockService;

  beforeAll(async () => {
    service = await MockService.start({ subscribers: 3 });
  });
  afterAll(() => service.close());

  test('believes no sealed hello, and stops, when the certificates are not the trust root’s', async () => {
    const otherRoot = new Uint8Array(33).fill(9);
    otherRoot[0] = 5;
    const deceived = Object.create(service, {
      description: { value: { ...service.description, trustRoot: otherRoot } },
    }) as MockService;
    const doneByStage = new Map<string, number>();
    const reporter: Reporter = {
      note: () => undefined,
      stage: (name, _total, run) => run((done) => doneByStage.set(name, done)),
    };
    const store = new MemoryStore();
    await expect(
      broadcast(deceived, { message: MESSAGE, threads: 1, store }, reporter),
    ).rejects.toThrow(/of no given trust root/);
    // All three have written. What the second one wrote unsealed, which needs no certificate, is
    // all that is believed.
    expect(doneByStage.get('profile keys')).toBe(3);
    expect((await store.list('contact', { limit: 10 })).map(({ key }) => key)).toEqual([
      service.description.subscribers[1],
    ]);
    expect(await service.messageRequests()).toEqual([]);
  });

  test('counts no subscriber whose profile key it could not learn, and sends them nothing', async () => {
    const silent = Object.create(service, {
      subscribersSayHello: { value: () => Promise.resolve() },
    }) as MockService;
    const report = await broadcast(
      silent,
      { message: MESSAGE, threads: 1, store: new MemoryStore() },
      silentReporter,
    );
    expect(report).toMatchObject({ sealed: 0, decrypted: 0 });
    expect(report.failures.map(({ at }) => at)).toEqual([
      'profile key',
      'profile key',
      'profile key',
    ]);
    expect(succeeded(report)).toBe(false);
    expect(await service.messageRequests()).toEqual([]);
  });

  test('reaches the others when one subscriber is gone, names that one, and does not count as a success', async () => {
    const gone = service.description.subscribers[1] ?? '';
    await service.unregister(gone);
    const report = await broadcast(
      service,
      { message: MESSAGE, threads: 1, store: new MemoryStore() },
      silentReporter,
    );
    expect(report).toMatchObject({ subscribers: 3, decrypted: 2 });
    expect(report.failures.map(({ serviceId, at }) => ({ serviceId, at }))).toEqual([
      { serviceId: gone, at: 'broadcast' },
    ]);
    expect(succeeded(report)).toBe(false);
    expect(summarize(report)).toMatch(new RegExp(`^failed at broadcast: ${gone}: `, 'm'));
  });
});
