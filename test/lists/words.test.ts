import { SUBSCRIPTION_ANSWERS, SUBSCRIPTION_WORDS } from 'sealcast';
import { describe, expect, test } from 'vitest';
import { WordTable } from '#dist/src/lists/words.js';

const table = new WordTable(SUBSCRIPTION_WORDS);
const commandOf = (text: string): string | undefined => table.find(text)?.command;

describe('a message joins or leaves', () => {
  test.each([
    ['HELLO', 'join'],
    ['hello!', 'join'],
    [' Join ', 'join'],
    ['STOP', 'leave'],
    ['Stop.', 'leave'],
    ['«stop»', 'leave'],
    ['¡STOP!', 'leave'],
    ['ＳＴＯＰ', 'leave'],
    ['stop 🛑', 'leave'],
    ['\u200EStop\u200F', 'leave'],
    ['stop   all', 'leave'],
    ['Unsubscribe', 'leave'],
    ['kündigen', 'leave'],
    ['kundigen', 'leave'],
    ['ku\u0308ndigen', 'leave'],
    ['DÉSABONNER', 'leave'],
    ["s'abonner", 'join'],
    ['S’ABONNER', 'join'],
    ['baja', 'leave'],
    ['OLÁ', 'join'],
    ['الغاء الاشتراك', 'leave'],
    ['إلغاء الاشتراك.', 'leave'],
    ['تـوقـف', 'leave'],
    ['لغو عضويت', 'leave'],
    ['СТОП', 'leave'],
    ['Привет!', 'join'],
    ['ВІДПИСАТИСЯ', 'leave'],
    ['İPTAL', 'leave'],
    ['ÇIK', 'leave'],
    ['çık', 'leave'],
    ['KATIL', 'join'],
    ['opt-out', 'leave'],
    ['stop-all', 'leave'],
    ['un-subscribe', 'leave'],
    ['STOP STOP', 'leave'],
    ['S.T.O.P', 'leave'],
    ['revoke', 'leave'],
    ['لغو\u200Cعضویت', 'leave'],
    ['STOP\u0000', 'leave'],
    ['\u001FSTOP\u0085', 'leave'],
    ['STOP\u3164', 'leave'],
    ['\u115FSTOP', 'leave'],
    [`STOP${'!'.repeat(300)}`, 'leave'],
  ])('%j', (text, command) => {
    expect(commandOf(text)).toBe(command);
  });

  test.each([
    '',
    '   ',
    '!!!',
    'stop the bus',
    'please stop',
    'do not stop',
    'hello there',
    'stopped',
    's top',
  ])('%j does neither', (text) => {
    expect(commandOf(text)).toBeUndefined();
  });

  test('a long message does neither, and takes no time', () => {
    expect(commandOf(`stop${'!'.repeat(2_000)}`)).toBeUndefined();
  });
});

test('every word of the table is found, with its language', () => {
  for (const [language, { join, leave }] of Object.entries(SUBSCRIPTION_WORDS)) {
    for (const word of join) expect([word, table.find(word)?.command]).toEqual([word, 'join']);
    for (const word of leave)
      expect([word, table.find(word.toUpperCase())?.command]).toEqual([word, 'leave']);
    expect(table.find(leave.at(-1) ?? '')?.languages).toContain(language);
  }
});

test('each language has words and answers, and no answer is a word', () => {
  expect(Object.keys(SUBSCRIPTION_ANSWERS)).toEqual(Object.keys(SUBSCRIPTION_WORDS));
  expect(Object.keys(SUBSCRIPTION_WORDS)).toEqual(
    expect.arrayContaining(['en', 'de', 'fr', 'es', 'pt', 'ar', 'fa', 'ru', 'uk', 'tr']),
  );
  for (const { joined, left } of Object.values(SUBSCRIPTION_ANSWERS)) {
    expect(commandOf(joined)).toBeUndefined();
    expect(commandOf(left)).toBeUndefined();
  }
});

test('the word that an answer tells people to send is one of its language', () => {
  const wordIn = (text: string): string =>
    /«([^»]+)»/u.exec(text)?.[1] ?? /(\p{Lu}{3,})/u.exec(text.slice(1))?.[1] ?? '';
  for (const [language, { joined, left }] of Object.entries(SUBSCRIPTION_ANSWERS)) {
    expect([language, commandOf(wordIn(joined))]).toEqual([language, 'leave']);
    expect([language, commandOf(wordIn(left))]).toEqual([language, 'join']);
  }
});

test('words that both join and leave are refused, in any form', () => {
  const words = { en: { join: ['Go'], leave: ['stop'] }, xx: { join: [], leave: ['ＧＯ!'] } };
  expect(() => new WordTable(words)).toThrow(/one of them is both/);
});
