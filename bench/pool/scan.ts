// A broadcast to more recipients than there is room for, again and again: a cycle, in which
// evicting the least recently used one throws each recipient out just before its turn, so that none
// would ever be found.
import { PrivateKey, IdentityKeyPair } from '@signalapp/libsignal-client';
import { Sealer } from 'sealcast';
import { TABLES_COST_BYTES } from '#dist/src/kernel/control.js';
import { describeEnvironment, type Environment } from '../report/environment.js';
import { formatNumber, formatTable } from '../report/table.js';

export interface ScanRow {
  /** The first is 1. */
  readonly broadcast: number;
  readonly microsecondsPerEnvelope: number;
  /** Recipients with tables when the broadcast had ended. */
  readonly tables: number;
  /** The share of the broadcast's envelopes whose DH(e, R) came from tables. */
  readonly tableShare: number;
}

export interface ScanResult {
  readonly benchmark: 'scan';
  readonly environment: Environment;
  readonly kernel: string;
  readonly threads: number;
  readonly recipientCount: number;
  readonly contentBytes: number;
  readonly recipientCacheBytes: number;
  /** The share of the recipients for whose tables that is room. */
  readonly roomShare: number;
  readonly rows: readonly ScanRow[];
}

export interface ScanBenchOptions {
  readonly recipientCount: number;
  readonly threads: number;
  readonly onProgress: (message: string) => void;
}

const BROADCAST_COUNT = 8;
const ROOM_SHARE = 0.8;
const CONTENT_BYTES = 600;

export async function runScanBench({
  recipientCount,
  threads,
  onProgress,
}: ScanBenchOptions): Promise<ScanResult> {
  const identityKeyPair = IdentityKeyPair.generate();
  const recipientKeys = Array.from({ length: recipientCount }, () =>
    PrivateKey.generate().getPublicKey().serialize(),
  );
  const recipientCacheBytes = TABLES_COST_BYTES * Math.round(recipientCount * ROOM_SHARE);
  const content = new Uint8Array(CONTENT_BYTES).fill(0x5a);
  const requests = recipientKeys.map((recipientIdentityKey) => ({ recipientIdentityKey, content }));

  const sealer = await Sealer.create({ identityKeyPair, threads, recipientCacheBytes });
  try {
    const rows: ScanRow[] = [];
    for (let broadcast = 1; broadcast <= BROADCAST_COUNT; broadcast++) {
      onProgress(`broadcast ${broadcast} of ${BROADCAST_COUNT}`);
      const before = sealer.stats();
      const startMs = performance.now();
      const results = await sealer.seal(requests);
      const elapsedMs = performance.now() - startMs;
      const failed = results.find((result) => !result.ok);
      if (failed) throw failed.error;
      const after = sealer.stats();
      const byTable = after.servedByTable - before.servedByTable;
      const byLadder = after.servedByLadder - before.servedByLadder;
      rows.push({
        broadcast,
        microsecondsPerEnvelope: (elapsedMs * 1000) / recipientCount,
        tables: after.tables,
        tableShare: byTable / (byTable + byLadder),
      });
    }
    return {
      benchmark: 'scan',
      environment: describeEnvironment(),
      kernel: sealer.stats().kernel,
      threads,
      recipientCount,
      contentBytes: CONTENT_BYTES,
      recipientCacheBytes,
      roomShare: ROOM_SHARE,
      rows,
    };
  } finally {
    await sealer.close();
  }
}

export function formatScanResult(result: ScanResult): string {
  const { recipientCount, recipientCacheBytes, roomShare, rows } = result;
  const title = `${recipientCount} recipients, room for ${roomShare * 100} % (${recipientCacheBytes} bytes)`;
  const header = [title, 'µs each', 'tables', '% by table'];
  return formatTable(
    header,
    rows.map(({ broadcast, microsecondsPerEnvelope, tables, tableShare }) => [
      `broadcast ${broadcast}`,
      formatNumber(microsecondsPerEnvelope),
      String(tables),
      formatNumber(tableShare * 100),
    ]),
  );
}
