import { inspect } from 'node:util';
import { expect } from 'vitest';

/**
 * Bytes of a secret's beginning that are looked for; dumps cut long values short. A multiple of
 * three, for base64.
 */
const SAMPLE_BYTES = 9;

/** The forms in which bytes get into texts. */
function writtenForms(secret: Uint8Array): string[] {
  // Nine bytes anywhere in the secret: a key's type byte, or a cut, must not shift what is looked
  // for out of sight.
  const starts = Array.from({ length: Math.min(secret.length - SAMPLE_BYTES, 24) }, (_, i) => i);
  return starts.flatMap((start) => {
    const sample = Buffer.from(secret.subarray(start, start + SAMPLE_BYTES));
    const hex = sample.toString('hex');
    return [
      hex,
      hex.toUpperCase(),
      sample.toString('base64'),
      sample.toString('base64url'),
      sample.toString('latin1'),
      [...sample].join(','),
      [...sample].join(', '),
      (hex.match(/../g) ?? []).join(' '),
    ];
  });
}

/**
 * All that a logger could write about a value: its texts, and every property of it, hidden or not.
 */
function allTexts(value: unknown): string {
  const texts = [
    String(value),
    JSON.stringify(value),
    inspect(value, { showHidden: true, depth: Infinity }),
  ];
  for (
    let object = value;
    typeof object === 'object' && object !== null;
    object = (object as Error).cause
  ) {
    for (const name of Object.getOwnPropertyNames(object)) {
      const property = (object as Record<string, unknown>)[name];
      texts.push(
        name,
        String(property),
        inspect(property, { maxArrayLength: null, breakLength: Infinity }),
      );
    }
  }
  return texts.join('\n');
}

/** The names of the secrets of which an error, or whatever hangs on it, shows a part. */
export function secretsIn(error: unknown, secrets: Readonly<Record<string, Uint8Array>>): string[] {
  const text = allTexts(error).replace(/\s+/g, ' ');
  const isShown = (secret: Uint8Array): boolean =>
    writtenForms(secret).some((form) => text.includes(form.replace(/\s+/g, ' ')));
  return Object.entries(secrets)
    .filter(([, secret]) => isShown(secret))
    .map(([name]) => name);
}

export function expectNoSecrets(
  error: unknown,
  secrets: Readonly<Record<string, Uint8Array>>,
): void {
  expect(error).toBeInstanceOf(Error);
  expect(secretsIn(error, secrets)).toEqual([]);
}
