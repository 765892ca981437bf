// Operations of the kernel on the curve, two field elements a vector, and the peers that can do
// them.
import { ed25519 } from '@noble/curves/ed25519.js';
import {
  bigIntToLittleEndian,
  concatBytes,
  littleEndianToBigInt,
} from '../../test/reference/bytes.js';
import type { Subject } from '../measure/subject.js';
import { entry } from '../peers/peer.js';
import {
  createX25519Inputs,
  joinPoints,
  joinScalars,
  publicKeyPeers,
  sharedSecretPeers,
  type X25519Inputs,
} from '../peers/x25519.js';
import { AT, type InnerKernel } from './inner-kernel.js';
import type { KernelOperation } from './operation.js';
import type { Call } from './repeat-calls.js';

/** As many as the kernel takes in one call. */
const BATCH = 256;
const KEY_BYTES = 32;
const LANES = [0, 1] as const;

export function curveOperations(): KernelOperation[] {
  const inputs = createX25519Inputs(BATCH);
  const sharedSecrets = sharedSecretPeers(inputs, LANES.length);
  const publicKeys = publicKeyPeers(inputs, LANES.length);
  return [
    {
      name: 'two field multiplications',
      ofKernel: (kernel) =>
        fieldSubject(kernel, inputs, { name: 'mulX2', args: [AT.out, AT.f, AT.g] }),
      peers: [nobleField(inputs, (a, b) => ed25519.Point.Fp.mul(a, b))],
    },
    {
      name: 'two field squarings',
      ofKernel: (kernel) =>
        fieldSubject(kernel, inputs, { name: 'squareX2', args: [AT.out, AT.f] }),
      peers: [nobleField(inputs, (a) => ed25519.Point.Fp.sqr(a))],
    },
    {
      name: `X25519 by ladder, batch of ${BATCH}`,
      ofKernel: (kernel) => batchSubject(kernel, inputs, false),
      peers: sharedSecrets,
    },
    {
      name: 'X25519 by a table of the recipient',
      ofKernel: (kernel) => tableSubject(kernel, inputs),
      peers: sharedSecrets,
    },
    {
      name: 'building a table',
      ofKernel: (kernel) => tableBuildingSubject(kernel, inputs),
      peers: [],
    },
    {
      name: `public key, batch of ${BATCH}`,
      ofKernel: (kernel) => batchSubject(kernel, inputs, true),
      peers: publicKeys,
    },
    {
      name: 'public key, without the inversion',
      ofKernel: (kernel) => fixedBaseSubject(kernel, inputs),
      peers: publicKeys,
    },
  ];
}

function fieldSubject(kernel: InnerKernel, { scalars }: X25519Inputs, call: Call): Subject[] {
  kernel.writeElements(AT.f, entry(scalars, 0), entry(scalars, 1));
  kernel.writeElements(AT.g, entry(scalars, 2), entry(scalars, 3));
  return [
    {
      name: kernel.name,
      operationsPerTurn: 1,
      run: kernel.repeat([call]),
      result() {
        kernel.call(call.name, ...call.args);
        return kernel.readElements(AT.out);
      },
    },
  ];
}

/** noble's field: one element at a time, so each operation is done twice. */
function nobleField(
  { scalars }: X25519Inputs,
  operation: (a: bigint, b: bigint) => bigint,
): Subject {
  const { Fp } = ed25519.Point;
  // Bit 255 of a u-coordinate is masked off (RFC 7748, section 5), as the kernel's decoding does.
  const values = scalars
    .slice(0, 4)
    .map((scalar) => Fp.create(littleEndianToBigInt(scalar) % 2n ** 255n));
  const [a, b, c, d] = values as [bigint, bigint, bigint, bigint];
  return {
    name: '@noble/curves',
    operationsPerTurn: 1,
    run(turns) {
      for (let turn = 0; turn < turns; turn++) {
        operation(a, c);
        operation(b, d);
      }
    },
    result: () =>
      concatBytes(
        ...[operation(a, c), operation(b, d)].map((value) => bigIntToLittleEndian(value, 32)),
      ),
  };
}

function batchSubject(kernel: InnerKernel, inputs: X25519Inputs, fixedBase: boolean): Subject[] {
  layKeys(kernel, inputs);
  const strided = [AT.scalars, KEY_BYTES, AT.points, KEY_BYTES, AT.outs, KEY_BYTES];
  const call = {
    name: 'x25519Batch',
    args: [0, BATCH, ...strided, fixedBase ? 1 : 0, AT.pairs, AT.scratch],
  };
  return [
    {
      name: kernel.name,
      operationsPerTurn: BATCH,
      run: kernel.repeat([call]),
      result() {
        kernel.call(call.name, ...call.args);
        return kernel.read(AT.outs, LANES.length * KEY_BYTES);
      },
    },
  ];
}

const SCALAR_PAIR = [AT.scalars, AT.scalars + KEY_BYTES] as const;

function tableSubject(kernel: InnerKernel, inputs: X25519Inputs): Subject[] {
  if (!kernel.has('multiplyByTablesX2') || !kernel.has('buildTablesX2')) return [];
  layKeys(kernel, inputs);
  const call = {
    name: 'multiplyByTablesX2',
    args: [AT.x, AT.z, ...SCALAR_PAIR, AT.tableA, AT.tableB, AT.scratch],
  };
  kernel.call('buildTablesX2', ...TABLE_BUILDING_ARGS);
  return [quotientSubject(kernel, call)];
}

const TABLE_BUILDING_ARGS = [
  AT.tableA,
  AT.tableB,
  AT.points,
  AT.points + KEY_BYTES,
  AT.scratch,
] as const;

function tableBuildingSubject(kernel: InnerKernel, inputs: X25519Inputs): Subject[] {
  if (!kernel.has('buildTablesX2')) return [];
  layKeys(kernel, inputs);
  const run = kernel.repeat([{ name: 'buildTablesX2', args: TABLE_BUILDING_ARGS, returns: true }]);
  return [{ name: kernel.name, operationsPerTurn: LANES.length, run }];
}

function fixedBaseSubject(kernel: InnerKernel, inputs: X25519Inputs): Subject[] {
  if (!kernel.has('fixedBaseX2')) return [];
  layKeys(kernel, inputs);
  const call = { name: 'fixedBaseX2', args: [AT.x, AT.z, ...SCALAR_PAIR, AT.scratch] };
  return [quotientSubject(kernel, call)];
}

/** Leaves X and Z in both lanes: the inversion, one for a whole batch, is not in it. */
function quotientSubject(kernel: InnerKernel, call: Call): Subject {
  return {
    name: kernel.name,
    operationsPerTurn: LANES.length,
    run: kernel.repeat([call]),
    result() {
      kernel.call(call.name, ...call.args);
      return kernel.readQuotients(AT.x, AT.z);
    },
  };
}

function layKeys(kernel: InnerKernel, inputs: X25519Inputs): void {
  kernel.write(AT.scalars, joinScalars(inputs));
  kernel.write(AT.points, joinPoints(inputs));
}
