// `npm run soak [days] [subscribers]`: a year of daily broadcasts on a clock moved by hand; prints
// the sizes every 30 days.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { soak } from './soak.js';

const [days = 365, subscribers = 20] = process.argv.slice(2).map(Number);
const path = mkdtempSync(join(tmpdir(), 'sealcast-soak-'));
const warnings: string[] = [];
process.on('warning', (warning) => warnings.push(warning.message));
try {
  for await (const sample of soak({ path, days, subscribers, reconnectsPerDay: 3 })) {
    const { day, rows, storeBytes, heapBytes, abortListeners, timers, messages } = sample;
    if (day % 30 !== 0 && day !== days) continue;
    const megabytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);
    const tables = Object.entries(rows).map(([table, count]) => `${table} ${count}`);
    console.log(
      `day ${day}: ${tables.join(', ')}; store ${megabytes(storeBytes)} MB, heap ${megabytes(heapBytes)} MB, ` +
        `${abortListeners} abort listeners, ${timers} timers, ${messages} messages received`,
    );
  }
  console.log(`${warnings.length} process warnings${warnings.map((text) => `\n${text}`).join('')}`);
} finally {
  rmSync(path, { recursive: true, force: true });
}
