import {
  BroadcastReader,
  type DeliveriesOptions,
  type StoredDeliveryStatus,
} from '../../broadcast/broadcast-reader.js';
import type { CommandContext } from '../context.js';
import { EXIT, type ExitCode, refuseUsage } from '../exit-codes.js';

const STATUSES: readonly string[] = [
  'sealed',
  'unsealed',
  'unregistered',
  'failed',
  'waiting',
] satisfies StoredDeliveryStatus[];

/** `sealcast report` */
export async function report({ line, terminal, openStore }: CommandContext): Promise<ExitCode> {
  const [id = ''] = line.operands;
  const format = line.text('format') ?? (line.has('json') ? 'ndjson' : 'csv');
  if (format !== 'csv' && format !== 'ndjson') refuseUsage('--format must be csv or ndjson');
  if (format === 'csv' && line.has('json')) refuseUsage('--json is not for --format csv');
  const status = line.text('status');
  if (status !== undefined && !STATUSES.includes(status))
    refuseUsage(`--status must be one of ${STATUSES.join(', ')}`);
  await using store = await openStore();
  const reader = new BroadcastReader(store);
  if ((await reader.status(id)) === undefined) refuseUsage(`the store has no broadcast ${id}`);
  const options = status === undefined ? {} : { status: status as StoredDeliveryStatus };
  if (format === 'csv') await terminal.data('recipient,status,error');
  for await (const delivery of reader.deliveries(id, options satisfies DeliveriesOptions)) {
    const { recipient, errorCode = '' } = delivery;
    // No part of a line needs quotes: service ids, and words of this program.
    if (format === 'csv') await terminal.data(`${recipient},${delivery.status},${errorCode}`);
    else await terminal.json(delivery);
  }
  return EXIT.done;
}
