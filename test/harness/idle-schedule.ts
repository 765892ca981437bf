// A process of its own: a schedule that waits for its next day, and nothing else to live for.
import { PreKeysSchedule } from '#dist/src/account/prekeys/schedule.js';

const schedule = new PreKeysSchedule({
  run: () => Promise.resolve(undefined),
  failed: () => undefined,
});
schedule.start();
setImmediate(() => {
  schedule.soon();
  console.log('waiting');
});
