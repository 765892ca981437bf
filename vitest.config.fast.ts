// What `npm test` runs: no *.long.test.ts, and no project that reruns another one's tests.
import { defineConfig } from 'vitest/config';
import config, { projects } from './vitest.config.ts';

const fast = projects.filter(({ test }) => test?.name !== 'relaxed SIMD');
const withoutLong = fast.map(({ test }) => ({
  test: { ...test, exclude: [...(test?.exclude ?? []), '**/*.long.test.ts'] },
}));

export default defineConfig({ test: { ...config.test, projects: withoutLong } });
