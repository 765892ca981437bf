import {
  RecipientFailures,
  RecipientFailureTracker,
} from '#dist/src/broadcast/flow/failure-tracker.js';
import { expect, test } from 'vitest';
import { StandInService } from '../fakes/stand-in-service.js';

test('a round of an outage asks for one sign of life each way, however sealed and unsealed failures take turns', async () => {
  const service = new StandInService();
  const failures = new RecipientFailureTracker(
    service,
    service.sender.aci,
    new AbortController().signal,
  );
  for (const round of [0, 1]) {
    for (let i = 0; i < 20; i++) {
      const scene = { taken: 0, round, lastOutageMs: 1_000, isSealed: i % 2 === 0 };
      expect(await failures.judge(`recipient ${i}`, new RecipientFailures(0), scene)).toBe(
        'outage',
      );
    }
  }
  expect(service.countOf('accountExists')).toBe(2);
  expect(service.countOf('fetchSenderCertificate')).toBe(2);
});
