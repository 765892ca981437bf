// No subject pays for garbage of others, nor for the finalizers of addons' objects. These wait for
// a turn of the event loop and delay the subject that takes one first.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options?: { readonly type: 'minor' | 'major' }) => void;

/**
 * Before a sample: what the one before it dropped. Collecting all of the heap each time would make
 * V8 forget bytecode.
 */
export async function clearYoungGarbage(): Promise<void> {
  collect({ type: 'minor' });
  await runFinalizers();
}

/** Before a round. */
export async function clearGarbage(): Promise<void> {
  collect();
  await runFinalizers();
}

async function runFinalizers(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await nextTurn();
}
