// The command as src/cli/main.ts runs it, in front of the mock service that a file describes
// (SEALCAST_TEST_SERVICE). It kills itself as it writes a certain text (SEALCAST_TEST_KILL_AT).
import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import { runCommand } from '#dist/src/cli/run-command.js';
import { SignalService } from '#dist/src/cli/signal-service.js';
import { netOf } from '../mock-service/net.js';
import type { ServiceDescription } from '../mock-service/protocol.js';

const file = process.env['SEALCAST_TEST_SERVICE'] ?? '';
const service = deserialize(readFileSync(file)) as ServiceDescription;
const { stdin, stdout, stderr, env } = process;
const killAt = env['SEALCAST_TEST_KILL_AT'];
if (killAt !== undefined) {
  const write = stdout.write.bind(stdout) as (...args: unknown[]) => boolean;
  stdout.write = (...args: unknown[]): boolean => {
    if (String(args[0]).includes(killAt)) process.kill(process.pid, 'SIGKILL');
    return write(...args);
  };
}
process.exitCode = await runCommand(process.argv.slice(2), {
  stdin,
  stdout,
  stderr,
  env,
  signals: process,
  exit: (code) => process.exit(code),
  serviceOf: () => new SignalService({ net: netOf(service), trustRoots: [service.trustRoot] }),
});
