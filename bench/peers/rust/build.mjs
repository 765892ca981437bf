// `npm run bench:rust`: builds the Rust peer of the benchmarks into pkg/. Tools that this machine
// lacks for it are named in one line; that is no failure: the benchmarks run without this peer.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const TARGET = 'wasm32-unknown-unknown';
const EXE = process.platform === 'win32' ? '.exe' : '';
const crate = fileURLToPath(new URL('.', import.meta.url));

/**
 * Two forms, each the faster one on some engines (see rust.ts): X25519 with field arithmetic
 * inlined by a larger measure took 15 % less time on Node 24 and 26, and 30 % more on Node 20 and
 * 22. The 64-bit field of curve25519-dalek took two to three times as long as its 32-bit default,
 * and wasm-opt changed nothing that could be measured.
 */
const FORMS = [
  { name: 'plain', rustFlags: [] },
  { name: 'inlined', rustFlags: ['-Cllvm-args=-inline-threshold=2000'] },
];

// Cargo installs to its own bin directory, which a distribution's cargo does not put on the PATH.
const cargoBin = join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'bin');
const searchPath = [...new Set([...(process.env.PATH ?? '').split(delimiter), cargoBin])].filter(
  (path) => path !== '',
);

const toolchain = searchPath.map(describeToolchain).find((found) => found !== null) ?? null;
const bindgenVersion = lockedVersion('wasm-bindgen');
const missing = [
  ...(toolchain === null ? [missingToolchain()] : []),
  ...(find('wasm-pack') === null ? ['wasm-pack (cargo install wasm-pack)'] : []),
  // wasm-pack would download another version's binary.
  ...(output('wasm-bindgen', ['--version']) === `wasm-bindgen ${bindgenVersion}`
    ? []
    : [
        `wasm-bindgen ${bindgenVersion} (cargo install wasm-bindgen-cli --version ${bindgenVersion})`,
      ]),
];
if (missing.length > 0) {
  console.log(`The Rust peer is skipped. Missing: ${missing.join('; ')}.`);
} else {
  // Hundreds of megabytes that are not needed afterwards. They must be outside of the folders that
  // the project's build hashes or wipes.
  const workDirectory = mkdtempSync(join(tmpdir(), 'sealcast-rust-'));
  try {
    const built = FORMS.every((form) => build(form, toolchain, workDirectory));
    if (built) replacePackage(join(workDirectory, 'pkg'));
    else process.exitCode = 1;
  } finally {
    rmSync(workDirectory, { recursive: true, force: true });
  }
}

function build({ name, rustFlags }, { directory, environment, cargoArguments }, workDirectory) {
  const { status } = spawnSync(
    find('wasm-pack'),
    [
      // Its own search for the target knows nothing of a standard library built on the way.
      ...['build', crate, '--mode', 'force', '--release', '--target', 'nodejs', '--no-typescript'],
      ...[
        '--out-dir',
        join(workDirectory, 'pkg', name),
        '--out-name',
        'peer',
        '--',
        '--locked',
        ...cargoArguments,
      ],
    ],
    {
      cwd: crate,
      stdio: 'inherit',
      env: {
        ...process.env,
        PATH: [directory, ...searchPath].join(delimiter),
        CARGO_TARGET_DIR: join(workDirectory, 'target'),
        CARGO_ENCODED_RUSTFLAGS: ['-Ctarget-feature=+simd128', ...rustFlags].join('\x1f'),
        ...environment,
      },
    },
  );
  return status === 0;
}

/** Both forms or none: the old package stays if one of them could not be built. */
function replacePackage(built) {
  rmSync(join(crate, 'pkg'), { recursive: true, force: true });
  cpSync(built, join(crate, 'pkg'), { recursive: true });
}

/**
 * How the toolchain in a directory can build for WebAssembly; null if there is none, or it cannot.
 */
function describeToolchain(directory) {
  const rustc = join(directory, `rustc${EXE}`);
  if (!existsSync(rustc) || !existsSync(join(directory, `cargo${EXE}`))) return null;
  if (!isNewEnough(run(rustc, ['--version']))) return null;
  const libraries = run(rustc, ['--print', 'target-libdir', '--target', TARGET]);
  if (
    libraries !== null &&
    existsSync(libraries) &&
    readdirSync(libraries).some((name) => name.startsWith('libstd-'))
  ) {
    return { directory, environment: {}, cargoArguments: [] };
  }
  // Without a standard library for the target, one is built from its sources: unstable in cargo, so
  // allowed expressly.
  const sysroot = run(rustc, ['--print', 'sysroot']);
  const linker = ['rust-lld', 'wasm-ld', 'wasm-ld-21', 'wasm-ld-20', 'wasm-ld-19']
    .map(find)
    .find((path) => path !== null);
  if (sysroot === null || linker === undefined) return null;
  if (!existsSync(join(sysroot, 'lib/rustlib/src/rust/library/std/Cargo.toml'))) return null;
  return {
    directory,
    environment: { RUSTC_BOOTSTRAP: '1', CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: linker },
    cargoArguments: ['-Zbuild-std=std,panic_abort'],
  };
}

function missingToolchain() {
  return (
    `Rust ${requiredRust()} or newer with the standard library of ${TARGET} (rustup target add ${TARGET}; on Debian, ` +
    'packages rustc-web, cargo-web, rust-web-src and lld-19)'
  );
}

function isNewEnough(rustcVersion) {
  const [, major, minor] = rustcVersion?.match(/^rustc (\d+)\.(\d+)\./) ?? [];
  const [requiredMajor, requiredMinor] = requiredRust().split('.').map(Number);
  return (
    Number(major) > requiredMajor ||
    (Number(major) === requiredMajor && Number(minor) >= requiredMinor)
  );
}

function requiredRust() {
  return readFileSync(join(crate, 'Cargo.toml'), 'utf8').match(/^rust-version = "([\d.]+)"$/m)[1];
}

function lockedVersion(name) {
  const lock = readFileSync(join(crate, 'Cargo.lock'), 'utf8');
  return lock.match(new RegExp(`^name = "${name}"\nversion = "(.+)"$`, 'm'))[1];
}

function find(program) {
  const paths = searchPath.map((directory) => join(directory, program + EXE));
  return paths.find((path) => existsSync(path)) ?? null;
}

/** Output of the program, trimmed; null if the program is missing or fails. */
function output(program, programArguments) {
  const path = find(program);
  return path === null ? null : run(path, programArguments);
}

function run(path, programArguments) {
  const { status, stdout } = spawnSync(path, programArguments, { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}
