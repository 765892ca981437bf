import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { builtFile } from '../harness/built-file.js';
import { runProcess } from '../harness/run-process.js';

const packageRoot = dirname(createRequire(import.meta.url).resolve('sealcast/package.json'));
const COMMAND = builtFile('examples/main.js');

/** Runs the example; gives the lines that it printed. */
async function linesOf(...args: readonly string[]): Promise<string[]> {
  const { exitCode, stdout, stderr } = await runProcess(COMMAND, args);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout.trimEnd().split('\n');
}

describe('the example', () => {
  test('seal seals for all recipients, and one of them opens the envelope', async () => {
    expect(await linesOf('seal')).toEqual([
      expect.stringMatching(/^sealed for 100 of 100 recipients, kernel (fma|int)$/),
      'the first recipient opened its envelope; the certificate in it names us: true',
    ]);
  });

  test('broadcast reaches its subscribers', async () => {
    expect(await linesOf('broadcast', '--subscribers', '2', '--threads', '1')).toContainEqual(
      expect.stringMatching(/^decrypted +2 of 2$/),
    );
  });

  test('newsletter subscribes by HELLO, unsubscribes by STOP, and sends an issue to the others', async () => {
    expect(await linesOf('newsletter')).toEqual([
      '3 subscribed by HELLO',
      '1 left by STOP, 2 stay',
      '"The bridge is closed until Friday." reached 2',
    ]);
  });

  test('hotline relays callers’ texts to staff, and an answer to the caller alone', async () => {
    const lines = await linesOf('hotline');
    expect(lines.toSorted()).toEqual(
      [
        'Dana (staff) reads "Begin an answer with the number of an open case: "#1 ..."."',
        'Eli (staff) reads "Begin an answer with the number of an open case: "#1 ..."."',
        'Dana (staff) reads "#1: The lift is stuck."',
        'Eli (staff) reads "#1: The lift is stuck."',
        'Dana (staff) reads "#2: Does the ferry run today?"',
        'Eli (staff) reads "#2: Does the ferry run today?"',
        'the second caller reads "It does, until ten."',
        'Eli (staff) sees that #2 is answered',
      ].toSorted(),
    );
  });

  test('webhook posts each text, and again where the webhook was unavailable', async () => {
    expect(await linesOf('webhook')).toEqual([
      'the webhook answers 503 to "The lift is stuck."',
      'attempt 1: HTTP 503, trying again',
      'the webhook answers 204 to "The lift is stuck."',
      'the webhook answers 204 to "Does the ferry run today?"',
      'the webhook answers 204 to "Thank you!"',
      '3 messages posted in 4 requests',
    ]);
  });

  test('telemetry counts deliveries, stages and received messages', async () => {
    const lines = await linesOf('telemetry');
    expect(lines).toEqual(
      expect.arrayContaining([
        'sealcast.deliveries {status=sealed, unsealedFallback=false} 5',
        'sealcast.received {envelopeType=prekey, sealed=false} 2',
        'sealcast.received {envelopeType=prekey, sealed=true} 3',
        ...['ratchet', 'store', 'seal', 'send'].map((stage): unknown =>
          expect.stringMatching(
            new RegExp(`^sealcast\\.stage\\.duration \\{stage=${stage}\\} \\d+ times$`),
          ),
        ),
      ]),
    );
  });

  test('that does not exist is refused with the names of all', async () => {
    const { exitCode, stdout, stderr } = await runProcess(COMMAND, ['fax']);
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 2,
      stdout: '',
      stderr: 'example: name one of seal, broadcast, newsletter, hotline, webhook, telemetry\n',
    });
  });
});

test('examples/README.md lists every example with its command', () => {
  const readme = readFileSync(join(packageRoot, 'examples/README.md'), 'utf8');
  const commands = [...readme.matchAll(/^\| `(npm run [^`]+)` +\|/gm)].map(
    ([, command]) => command,
  );
  expect(commands).toEqual([
    'npm run example -- seal',
    'npm run broadcast',
    ...['newsletter', 'hotline', 'webhook', 'telemetry'].map(
      (name) => `npm run example -- ${name}`,
    ),
  ]);
});
