import { performance } from 'node:perf_hooks';
import { forEachInFlight } from '../../support/in-flight.js';

/** The steps of a broadcast whose times are reported. */
export const STAGES = ['prekeys', 'encrypt', 'seal', 'deliver'] as const;
export type Stage = (typeof STAGES)[number];

export interface Failure {
  readonly serviceId: string;
  readonly at: Stage | 'profile key' | 'confirm';
  readonly error: Error;
}

/** Whom a stage handed on, and whom it lost. */
export interface StageResult<Out> {
  readonly passed: readonly Out[];
  readonly failures: readonly Failure[];
  readonly elapsedMs: number;
}

/** Takes every recipient through one step, some of them at a time; one that fails does not hold up the others. */
export async function runStage<In extends { readonly serviceId: string }, Out>(
  at: Stage,
  recipients: readonly In[],
  inFlight: number,
  step: (recipient: In) => Promise<Out>,
  onProgress: (recipientsDone: number) => void,
): Promise<StageResult<Out>> {
  const passed: Out[] = [];
  const failures: Failure[] = [];
  const startMs = performance.now();
  await forEachInFlight(recipients, inFlight, async (recipient) => {
    try {
      passed.push(await step(recipient));
    } catch (error) {
      failures.push({ serviceId: recipient.serviceId, at, error: error as Error });
    }
    onProgress(passed.length + failures.length);
  });
  return { passed, failures, elapsedMs: performance.now() - startMs };
}
