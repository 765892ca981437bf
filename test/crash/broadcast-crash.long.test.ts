import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, onTestFailed, test } from 'vitest';
import { BroadcastChild, type ChildOptions, type JobFor } from '../harness/broadcast-child.js';
import {
  keptBroadcast,
  misread,
  reusedMessageKeys,
  sentButNotKept,
  sentTwice,
  type KeptBroadcast,
} from '../harness/broadcast-ledger.js';
import { seededBytes, seededInteger, type SeededRandom } from '../harness/seeded-random.js';
import { StandInService } from '../fakes/stand-in-service.js';
import { temporaryDirectory } from '../harness/store-files.js';

const RECIPIENTS = 500;
const BROADCASTS = 5;
/** Of each broadcast. */
const KILLS = 4;
/** Small, so that a broadcast has many moments to be killed at. */
const options = { chunkSize: 32, concurrency: 32 };
/** So many recipients are on their way at the same time, and no more are put down together. */
const LIVE = 128;
/** Names the run: the same moments again with the same seed. */
const seed = process.env['SEALCAST_CRASH_SEED'] ?? randomBytes(8).toString('hex');

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await BroadcastChild.killAll();
  directory.remove();
});

type Fate = ChildOptions & Pick<JobFor, 'dieAt'>;

const WHILE_INGESTING: Fate = { dieAt: { moment: 'after queued rows', count: 1 } };

/** A moment in the middle of what is left to do: it comes, whatever the machine's pace. */
function drawFate(random: SeededRandom, { rows }: KeptBroadcast): Fate {
  const states = [...rows.values()].map(({ state }) => state);
  const queued = rows.size === 0 ? RECIPIENTS : states.filter((state) => state === 'queued').length;
  const open = rows.size === 0 ? RECIPIENTS : states.filter((state) => state !== 'done').length;
  /** One to so many, of what there is so often at least. */
  const draw = (times: number): number => 1 + seededInteger(random, Math.max(1, Math.floor(times)));
  const die = (moment: NonNullable<JobFor['dieAt']>['moment'], count = 1): Fate => ({
    dieAt: { moment, count },
  });
  const fates: Fate[] = [
    { killAfterTaken: draw(open / 2) },
    { killAfterTaken: draw(open / 4) },
    die('before done rows', draw(open / LIVE)),
    die('after done rows', draw(open / LIVE)),
  ];
  if (rows.size === 0)
    fates.push(
      die('after a broadcast ingesting'),
      die('before queued rows'),
      die('after queued rows'),
    );
  if (queued >= options.chunkSize) {
    // Those who need prekeys come one by one, and share commits.
    const commits = draw(queued / LIVE);
    fates.push(die('before encrypted rows', commits), die('after encrypted rows', commits));
  }
  return fates[seededInteger(random, fates.length)]!;
}

test(`${BROADCASTS} broadcasts to ${RECIPIENTS}, killed ${BROADCASTS * KILLS} times in the middle, reach everybody once`, async () => {
  onTestFailed(() => console.error(`the moments are those of SEALCAST_CRASH_SEED=${seed}`));
  const random = seededBytes(seed);
  const { path } = directory;
  const service = new StandInService();
  const subscribers = await Promise.all(
    Array.from({ length: RECIPIENTS }, () => service.subscribe()),
  );
  const recipients = subscribers.map(({ aci }) => aci);
  const profileKeys = subscribers.map(({ aci, profileKey }) => [aci, profileKey] as const);
  expect((await BroadcastChild.run(service, { path, ask: 'open', profileKeys })).said?.kind).toBe(
    'ended',
  );

  const texts: string[] = [];
  let killedWhileIngesting = 0;
  let killedWithEncryptedRows = 0;
  for (let number = 0; number < BROADCASTS; number++) {
    const [id, body] = [`broadcast-${number}`, `text ${number}`];
    texts.push(body);
    const job = { path, id, body, recipients, options } as const;
    let kept = await keptBroadcast(path, id);
    for (let kill = 0; kill < KILLS; kill++) {
      // One of them, for certain, while recipients come in; the others as they are drawn.
      const fate = number === 0 && kill === 0 ? WHILE_INGESTING : drawFate(random, kept);
      const { dieAt, ...childOptions } = fate;
      const isNew = kept.record === undefined;
      const child = {
        ...job,
        ask: isNew ? 'broadcast' : 'go on',
        ...(dieAt && { dieAt }),
      } as const;
      const end = await BroadcastChild.run(service, child, childOptions);
      expect(end, `kill ${kill} of ${id}: ${JSON.stringify(fate)}`).toMatchObject({
        signal: 'SIGKILL',
        said: undefined,
      });
      kept = await keptBroadcast(path, id);
      expect(kept.record?.state).not.toBe('finished');
      expect(sentButNotKept(service, kept)).toEqual([]);
      if (kept.record?.state === 'ingesting') killedWhileIngesting += 1;
      if ([...kept.rows.values()].some(({ state }) => state === 'encrypted'))
        killedWithEncryptedRows += 1;
    }
    const { said } = await BroadcastChild.run(service, { ...job, ask: 'go on' });
    expect(said).toMatchObject({
      kind: 'ended',
      summary: { id, recipients: RECIPIENTS, sealed: RECIPIENTS },
    });
    expect((await keptBroadcast(path, id)).record?.state).toBe('finished');
  }

  expect(misread(service, texts)).toEqual([]);
  expect(sentTwice(service)).toEqual([]);
  expect(reusedMessageKeys(service)).toEqual([]);
  // The moments were moments in the middle.
  expect(killedWhileIngesting).toBeGreaterThan(0);
  expect(killedWithEncryptedRows).toBeGreaterThanOrEqual((BROADCASTS * KILLS) / 2);
  expect(service.arrivals.filter(({ duplicate }) => duplicate).length).toBeGreaterThan(0);
});
