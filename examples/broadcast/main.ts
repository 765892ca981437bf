// One sealed message to many subscribers, from beginning to end. `npm run broadcast -- --help` says
// more.
import { MockService } from '../../test/mock-service/mock-service.js';
import { broadcast, succeeded } from './broadcast.js';
import { parseOptions, USAGE, UsageError, type BroadcastOptions } from './options.js';
import { barReporter, plainReporter } from './reporter.js';
import { openRunFolder } from './run-folder.js';
import { summarize } from './summary.js';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

async function run(options: BroadcastOptions): Promise<boolean> {
  const reporter = process.stdout.isTTY
    ? barReporter(process.stdout)
    : plainReporter(process.stdout);
  await using folder = await openRunFolder(options.storePath);
  const { store, serviceState: state } = folder;
  await using service = await reporter.stage('accounts', options.subscribers, (onProgress) =>
    MockService.start({ subscribers: options.subscribers, state, onProgress }),
  );
  const report = await folder.during(service, () =>
    broadcast(service, { ...options, store }, reporter),
  );
  console.log(summarize(report));
  return succeeded(report);
}

async function main(): Promise<number> {
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options === 'help') {
      console.log(USAGE);
      return 0;
    }
    return (await run(options)) ? 0 : EXIT_FAILED;
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`broadcast: ${error.message} (see --help)`);
      return EXIT_USAGE;
    }
    console.error(`broadcast failed: ${(error as Error).message}`);
    return EXIT_FAILED;
  }
}

process.exitCode = await main();
