// Runs the example that the command line names: `npm run example -- newsletter`.
const EXAMPLES = new Map<string, () => Promise<unknown>>([
  ['seal', () => import('./seal/main.mjs')],
  ['broadcast', () => import('./broadcast/main.js')],
  ['newsletter', () => import('./newsletter/main.js')],
  ['hotline', () => import('./hotline/main.js')],
  ['webhook', () => import('./webhook/main.mjs')],
  ['telemetry', () => import('./telemetry/main.js')],
]);

// The options that follow the name are the example's.
const [name = ''] = process.argv.splice(2, 1);
const program = EXAMPLES.get(name);
if (program === undefined) {
  console.error(`example: name one of ${[...EXAMPLES.keys()].join(', ')}`);
  process.exitCode = 2;
} else {
  await program();
}
