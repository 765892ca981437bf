import { describe, expect, it } from 'vitest';
import { checkNames, isPlainObject } from '#dist/src/util/known-names.js';

const KNOWN = { dryRun: true, maxPerSecond: true, encryptionKey: true, id: true } as const;

function refusalOf(
  given: object,
  parent?: string,
  index?: number,
): { field?: string; message?: string } {
  try {
    checkNames(given, KNOWN, parent, index);
  } catch (error) {
    return error as { field?: string; message?: string };
  }
  return {};
}

describe('an unknown name', () => {
  it.each([
    ['dryrun', 'dryRun'],
    ['dry_run', 'dryRun'],
    ['DryRun', 'dryRun'],
    ['dyrRun', 'dryRun'],
    ['maxPerSec', 'maxPerSecond'],
    ['maxPersecnod', 'maxPerSecond'],
    ['encryptionkey', 'encryptionKey'],
    ['encryptKey', 'encryptionKey'],
    ['di', 'id'],
  ])('%s is refused, and %s suggested', (name, meant) => {
    expect(refusalOf({ [name]: 1 })).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      field: name,
      message: `${name} is not a known name (did you mean ${meant}?)`,
    });
  });

  it.each(['x', 'attachments', 'constructor', '__proto__', 'toString', '🎈', 'a'.repeat(100_000)])(
    'that resembles none is refused with those that are known: %.20s',
    (name) => {
      const { field, message } = refusalOf(JSON.parse(`{${JSON.stringify(name)}:1}`) as object);
      expect(field).toBe(name.length > 64 ? `${name.slice(0, 64)}...` : name);
      expect(message).toContain('known names: dryRun, maxPerSecond, encryptionKey, id');
    },
  );

  it('names its object and its entry', () => {
    expect(refusalOf({ Id: 1 }, 'account', 3)).toMatchObject({
      field: 'account.Id',
      index: 3,
      message: 'entry 3: account.Id is not a known name (did you mean account.id?)',
    });
  });

  it.each<[string, object]>([
    ['is undefined', { dryrun: undefined }],
    ['is a symbol', { [Symbol('dryrun')]: true }],
    ['is inherited', Object.create({ dryrun: true }) as object],
    ['is not enumerable', Object.defineProperty({}, 'dryrun', { value: true })],
  ])('is passed over where it %s', (_, given) => {
    expect(refusalOf(given)).toEqual({});
  });
});

it('a plain object is told from an instance', () => {
  for (const plain of [{}, Object.create(null), structuredClone({ a: 1 })] as object[]) {
    expect(isPlainObject(plain)).toBe(true);
  }
  for (const instance of [new Date(), [], new (class A {})()])
    expect(isPlainObject(instance)).toBe(false);
});
