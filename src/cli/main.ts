#!/usr/bin/env node
import { runCommand } from './run-command.js';
import type { Places } from './places.js';
import type { Service } from './service.js';

/** Signal's service, loaded by the commands that need it. */
async function signalService({ staging }: Places): Promise<Service> {
  const [{ SignalService }, { signalNet }] = await Promise.all([
    import('./signal-service.js'),
    import('../transport/chat/signal-net.js'),
  ]);
  return new SignalService(await signalNet({ env: staging ? 'staging' : 'production' }));
}

const { stdin, stdout, stderr, env } = process;
process.exitCode = await runCommand(process.argv.slice(2), {
  stdin,
  stdout,
  stderr,
  env,
  signals: process,
  exit: (code) => process.exit(code),
  serviceOf: signalService,
});
