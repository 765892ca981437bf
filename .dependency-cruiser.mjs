// Who may import whom. A room is a folder of src/; workers/ and assembly/ stand beside it.
// errors.ts and util/ (mechanisms that know nothing of Signal) are leaves that every room may
// import.
const room = (name) => `^src/${name}/`;
/** Modules of `from` may import nothing but themselves and `allowed` within this repository. */
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^(src|workers|assembly|bench|examples|test)/', pathNot: [from, ...allowed] },
});
const ERRORS = '^src/errors\\.ts$';
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
    only('errors-imports-nothing', ERRORS, [], 'Every room imports it.'),
    only('util-imports-errors', UTIL, [ERRORS], 'Mechanisms; every room imports them.'),
    only(
      'kernel-imports-abi',
      room('kernel'),
      [ABI, ERRORS, UTIL],
      'The loader of the kernels reads assembly/abi.ts.',
    ),
    only(
      'engine-imports-kernel',
      room('engine'),
      [room('kernel'), ABI, ERRORS, UTIL],
      'Threads and chunks: no libsignal, no certificates.',
    ),
    only(
      'access-imports-validator',
      room('access'),
      [
        ABI,
        '^src/sealer/certificate-validator\\.ts$',
        '^src/store/tables/contacts\\.ts$',
        ERRORS,
        UTIL,
      ],
      'Keys, certificates and access modes; no kernel.',
    ),
    only('content-imports-leaves', room('content'), [ERRORS, UTIL], 'Protobuf and padding.'),
    only(
      'transport-imports-leaves',
      room('transport'),
      [ERRORS, UTIL],
      'The way to the service, whoever uses it.',
    ),
    only(
      'store-imports-access-mode',
      room('store'),
      ['^src/access/access-mode\\.ts$', '^src/content/index\\.ts$', ERRORS, UTIL],
      'Bytes by key, and the records in them.',
    ),
    only(
      'sealer-imports-engine',
      room('sealer'),
      [room('engine'), room('kernel'), room('access'), room('content'), ABI, ERRORS, UTIL],
      'Sealing and unsealing, without sessions.',
    ),
    only(
      'session-imports-engine',
      room('session'),
      [
        room('engine'),
        '^src/store/tables/(account|prekeys)\\.ts$',
        '^src/transport/transport\\.ts$',
        ERRORS,
        UTIL,
      ],
      'Steps on sessions, from bytes to bytes.',
    ),
    only(
      'workers-import-kernel',
      '^workers/',
      [room('kernel'), room('session'), '^src/engine/jobs\\.ts$', UTIL],
      'A worker runs the kernel and the steps on sessions.',
    ),
    only(
      'runtime-imports-lower-rooms',
      room('runtime'),
      [
        room('sealer'),
        room('session'),
        room('engine'),
        room('access'),
        room('store'),
        room('transport'),
        '^src/broadcast/(options|delivery)\\.ts$',
        '^src/account/account-types\\.ts$',
        ERRORS,
        UTIL,
      ],
      'What everything that acts for one account shares. A retry request is a transition of a delivery: delivery.ts has them all.',
    ),
    only(
      'broadcast-never-imports-receive',
      room('broadcast'),
      [
        room('runtime'),
        room('session'),
        room('sealer'),
        room('engine'),
        room('access'),
        room('content'),
        room('store'),
        room('transport'),
        '^src/account/account-types\\.ts$',
        ERRORS,
        UTIL,
      ],
      'Broadcasting and receiving share the runtime, and know nothing of each other.',
    ),
    only(
      'receive-never-imports-broadcast',
      room('receive'),
      [
        room('runtime'),
        room('session'),
        room('sealer'),
        room('engine'),
        room('access'),
        room('content'),
        room('store'),
        room('transport'),
        '^src/account/prekeys/',
        ERRORS,
        UTIL,
      ],
      'Broadcasting and receiving share the runtime, and know nothing of each other.',
    ),
    only(
      'account-imports-public-classes',
      room('account'),
      [
        room('runtime'),
        room('session'),
        room('sealer'),
        room('engine'),
        room('access'),
        room('content'),
        room('store'),
        room('transport'),
        '^src/broadcast/(broadcaster|broadcast-reader)\\.ts$',
        '^src/receive/receiver\\.ts$',
        ERRORS,
        UTIL,
      ],
      'An account opens Broadcasters and Receivers.',
    ),
    only(
      'examples-import-the-package',
      '^examples/',
      ['^test/mock-service/(mock-service|net)\\.ts$'],
      'Examples import the package by its name, as its users do, and the mock service that they run against.',
    ),
    {
      name: 'shipped-never-imports-dev',
      comment: 'Nothing shipped imports test/, bench/ or examples/.',
      severity: 'error',
      from: { path: '^(src|workers|assembly)/' },
      to: { path: '^(test|bench|examples)/' },
    },
    {
      name: 'shipped-imports-only-dependencies',
      comment: 'What is shipped must not lean on a development dependency.',
      severity: 'error',
      from: { path: '^(src|workers)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'undetermined'] },
    },
    packageOnlyIn(
      'piscina-in-engine',
      'node_modules/piscina/',
      [room('engine')],
      'Only engine imports Piscina.',
    ),
    packageOnlyIn(
      'lmdb-in-store',
      'node_modules/lmdb/',
      [room('store/lmdb')],
      'Only store/lmdb imports LMDB.',
    ),
    packageOnlyIn(
      'libsignal-in-its-rooms',
      'node_modules/@signalapp/',
      [room('access'), room('sealer'), room('session'), room('transport'), room('content')],
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
      [room('content'), '^src/store/codec\\.ts$'],
      'Only content names protobuf, and the codec of the store.',
    ),
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-unresolved',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^(sealcast|#dist)' },
    },
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
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'node', 'default'],
    },
  },
};
