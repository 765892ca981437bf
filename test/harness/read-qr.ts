// Reads codes as a phone does, from what a command drew.
import { inflateSync } from 'node:zlib';
import decodeQR from 'qr/decode.js';

const SCALE = 4;

/** The text in a code, from its modules; true: dark. */
export function readModules(rows: readonly (readonly boolean[])[], scale = SCALE): string {
  const [height, width] = [rows.length * scale, (rows[0]?.length ?? 0) * scale];
  const data = new Uint8Array(width * height * 4).fill(255);
  rows.forEach((row, y) =>
    row.forEach((isDark, x) => {
      if (!isDark) return;
      for (let i = y * scale; i < (y + 1) * scale; i++) {
        for (let j = x * scale; j < (x + 1) * scale; j++)
          data.fill(0, (i * width + j) * 4, (i * width + j) * 4 + 3);
      }
    }),
  );
  return decodeQR({ width, height, data });
}

/** The last code that was drawn with half blocks among the lines of a terminal. */
export function readDrawn(text: string): string {
  // eslint-disable-next-line no-control-regex
  const lines = text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, '').split(/\r?\n/);
  const isDrawn = (line: string): boolean => /^[ █▀▄]{20,}$/.test(line) && /[█▀▄]/.test(line);
  const end = lines.findLastIndex(isDrawn) + 1;
  const begin = lines.findLastIndex((line, i) => i < end && !isDrawn(line)) + 1;
  const rows = lines.slice(begin, end).flatMap((line) => {
    const cells = line.split('');
    return [
      cells.map((cell) => cell !== '█' && cell !== '▀'),
      cells.map((cell) => cell !== '█' && cell !== '▄'),
    ];
  });
  return readModules(rows);
}

/** The code in a PNG of one bit a pixel. */
export function readPng(png: Buffer): string {
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const begin = png.indexOf('IDAT');
  const pixels = inflateSync(png.subarray(begin + 4, begin + 4 + png.readUInt32BE(begin - 4)));
  const rowBytes = 1 + Math.ceil(width / 8);
  const isDark = (x: number, y: number): boolean =>
    ((pixels[y * rowBytes + 1 + (x >> 3)]! >> (7 - (x & 7))) & 1) === 0;
  const rows = Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => isDark(x, y)),
  );
  return readModules(rows, 1);
}
