// A process of its own: a schedule that waits for its next day, and nothing else to live for.
import { SYSTEM_CLOCK } from '#dist/src/util/clock.js';
import { DailySchedule } from '#dist/src/runtime/daily-schedule.js';

const schedule = new DailySchedule(
  {
    operation: 'wait',
    run: () => Promise.resolve(undefined),
    failed: () => undefined,
  },
  SYSTEM_CLOCK,
);
schedule.start();
setImmediate(() => {
  schedule.soon();
  console.log('waiting');
});
