// The arrows of the house: who may import whom. A room is a folder of src/, workers/ and assembly/ stand beside it.
// errors.ts, abort-watch.ts and util/ (mechanisms that know nothing of Signal) are leaves that every room may name.
const room = (name) => `^src/${name}/`;
/** Modules of `from` may import nothing but themselves and `allowed` within this repository. */
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^(src|workers|assembly|bench|test)/', pathNot: [from, ...allowed] },
});
const ERRORS = '^src/errors\\.ts$';
const ABORT_WATCH = '^src/abort-watch\\.ts$';
const UTIL = '^src/util/';
const ABI = '^assembly/abi\\.ts$';

/** Only `rooms` may import the package. */
const packageOnlyIn = (name, packagePath, rooms, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: '^(src|workers|assembly)/', pathNot: rooms },
  to: { path: packagePath },
});

export default {
  forbidden: [
    only('abi-imports-nothing', ABI, [], 'asc and tsc both compile it.'),
    only('errors-imports-nothing', ERRORS, [], 'Every room names it.'),
    only('abort-watch-imports-nothing', ABORT_WATCH, [], 'Every room names it.'),
    only('util-imports-nothing', UTIL, [ERRORS, ABORT_WATCH], 'Mechanisms; every room names them.'),
    only(
      'kernel-knows-only-abi',
      room('kernel'),
      [ABI, ERRORS, UTIL],
      'The kernel room reads assembly/abi.ts, and mechanisms.',
    ),
    only(
      'pool-knows-kernel',
      room('pool'),
      [room('kernel'), ABI, ERRORS, ABORT_WATCH, UTIL],
      'No libsignal, no access, in the pool.',
    ),
    only(
      'access-knows-abi',
      room('access'),
      [ABI, ERRORS, ABORT_WATCH, UTIL],
      'Keys and certificates know of no kernel.',
    ),
    only('content-knows-nobody', room('content'), [ERRORS, UTIL], 'Protobuf and padding know of nobody.'),
    only(
      'transport-knows-nobody',
      room('transport'),
      [ERRORS, ABORT_WATCH, UTIL],
      'The way to the service knows of nobody who takes it.',
    ),
    only(
      'workers-know-kernel',
      '^workers/',
      [room('kernel'), room('ratchet'), '^src/pool/messages\\.ts$', UTIL],
      'A worker runs kernel and ratchet; of the pool it knows the message types.',
    ),
    only(
      'ratchet-knows-bundles',
      room('ratchet'),
      ['^src/transport/transport\\.ts$', ERRORS, UTIL],
      'From bytes to bytes.',
    ),
    only(
      'store-knows-nobody',
      room('store'),
      ['^src/access/access-mode\\.ts$', ERRORS, UTIL],
      'Bytes by key; what the records hold is named where it is made.',
    ),
    {
      name: 'shipped-never-imports-dev',
      comment: 'Nothing shipped imports test/ or bench/.',
      severity: 'error',
      from: { path: '^(src|workers|assembly)/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'shipped-imports-only-dependencies',
      comment: 'What is shipped must not lean on a development dependency.',
      severity: 'error',
      from: { path: '^(src|workers)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'undetermined'] },
    },
    packageOnlyIn('piscina-in-pool', 'node_modules/piscina/', [room('pool')], 'Only pool names Piscina.'),
    packageOnlyIn('lmdb-in-store', 'node_modules/lmdb/', ['^src/store/lmdb'], 'Only store/lmdb names LMDB.'),
    packageOnlyIn(
      'libsignal-in-its-rooms',
      'node_modules/@signalapp/',
      [room('access'), room('ratchet'), room('transport'), room('content')],
      'The engine hands bytes around; libsignal stays in the rooms that need it.',
    ),
    packageOnlyIn(
      'libsignal-net-in-transport',
      'node_modules/@signalapp/libsignal-client/dist/net',
      [room('transport')],
      'Only transport names libsignal’s network.',
    ),
    packageOnlyIn(
      'protobufjs-in-content',
      'node_modules/protobufjs/',
      [room('content'), '^src/store/records'],
      'Only content names protobuf, and the records of the store.',
    ),
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^(sealcast|#dist)' } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: ['\\.d\\.ts$', '\\.test\\.ts$', '^assembly/abi\\.ts$'] },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^dist/', '^build/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.dev.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['types', 'import', 'node', 'default'] },
  },
};
