import { describe, expect, it } from 'vitest';
import { findKernelFault } from '#dist/src/kernel/self-test.js';
import { allBuilds, primitivesOf, readBuild } from '../harness/kernel-builds.js';
import { relaxedSimd } from '../harness/relaxed-simd.js';
import { AS_THE_ENGINE_DOES, UNFUSED, replaceMadd } from '../harness/replace-madd.js';

const fmaBuilds = allBuilds.filter(({ name }) => name === 'fma');

// What becomes of the kernel on a processor without fused multiply-add is shown on any: the release
// build runs with its multiply-adds replaced. So replaced it needs no relaxed SIMD at all, and Node
// 20 runs it without a flag.
describe.each(fmaBuilds)('$file on an engine that does not fuse', (build) => {
  const release = readBuild(build, 'release');

  it('fails its self-test', () => {
    const { bytes, replacedCount } = replaceMadd(release, UNFUSED);
    expect(replacedCount).toBeGreaterThan(100);
    expect(findKernelFault(primitivesOf('fma', bytes))).toMatch(/X25519/);
  });

  it.skipIf(relaxedSimd !== 'fused')(
    'fails for that alone: with the fused one put back in the same way it passes',
    () => {
      const { bytes } = replaceMadd(release, AS_THE_ENGINE_DOES);
      expect(findKernelFault(primitivesOf('fma', bytes))).toBeNull();
    },
  );
});

describe('a kernel without multiply-adds', () => {
  it('has none to replace', () => {
    const builds = allBuilds.filter(({ name }) => name === 'int');
    expect(
      builds.map((build) => replaceMadd(readBuild(build, 'release'), UNFUSED).replacedCount),
    ).toEqual([0]);
  });
});
