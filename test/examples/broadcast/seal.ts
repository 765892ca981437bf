import { performance } from 'node:perf_hooks';
import type { Sealer } from 'sealcast';
import type { Encrypted, Sealed } from './recipients.js';
import type { Failure, StageResult } from './stages.js';

/** Seals for every device of every recipient, all in one batch. */
export async function sealAll(sealer: Sealer, recipients: readonly Encrypted[]): Promise<StageResult<Sealed>> {
  const startMs = performance.now();
  const results = await sealer.seal(
    recipients.flatMap(({ identityKey, devices }) =>
      devices.map(({ usmc }) => ({ recipientIdentityKey: identityKey, content: usmc })),
    ),
  );
  const elapsedMs = performance.now() - startMs;

  const passed: Sealed[] = [];
  const failures: Failure[] = [];
  const next = results.values();
  for (const { serviceId, accessKey, devices } of recipients) {
    const sealedDevices = [];
    let failure: Error | undefined;
    for (const { deviceId, registrationId } of devices) {
      const { value: result } = next.next();
      if (result?.ok === true) {
        sealedDevices.push({ deviceId, registrationId, envelope: result.envelope });
      } else {
        failure ??= result?.error ?? new Error('the sealer gave fewer results than it was given entries');
      }
    }
    // The service takes a message for all devices of an account, or for none.
    if (failure === undefined) passed.push({ serviceId, accessKey, devices: sealedDevices });
    else failures.push({ serviceId, at: 'seal', error: failure });
  }
  return { passed, failures, elapsedMs };
}
