// `npm run test:lines`: the tests of kernels and envelopes on every Node line. The last line
// counts.
import { runOtherLines, runOwnLine } from './lines.mjs';
import { endWithCounts } from './vitest.mjs';

endWithCounts(new Map([...runOwnLine(), ...runOtherLines()]));
