import { crc32, deflateSync } from 'node:zlib';
import type * as Qr from 'qr';
import { CommandError } from './exit-codes.js';

/** Modules of a QR code with a border, rows from the top; true: dark. */
export type QrMatrix = readonly (readonly boolean[])[];

/** Modules of the light border. The standard wants 4, and phones read 2. */
const BORDER = { terminal: 2, image: 4 } as const;
const PIXELS = 8;

/** Encodes a text. @throws CommandError where the optional package `qr` is not installed */
export async function encodeQr(text: string, use: keyof typeof BORDER): Promise<QrMatrix> {
  let module: typeof Qr;
  try {
    module = await import('qr');
  } catch {
    throw new CommandError('the package qr, which draws codes, is not installed', {
      hint: 'npm install qr, or make a code of the URL that --json prints',
    });
  }
  return module.encodeQR(text, 'raw', { ecc: 'low', border: BORDER[use] });
}

/**
 * Lines of a terminal, each for two rows. With colors, dark is black and light is white whatever
 * the terminal's own are; without, light is what is drawn, for a dark terminal.
 */
export function drawQr(matrix: QrMatrix, hasColors: boolean): string[] {
  const lines: string[] = [];
  for (let y = 0; y < matrix.length; y += 2) {
    const [upper = [], lower = []] = [matrix[y], matrix[y + 1]];
    const line = upper.map((isUpper, x) => halfBlock(!isUpper, lower[x] !== true)).join('');
    lines.push(hasColors ? `\x1b[97;40m${line}\x1b[0m` : line);
  }
  return lines;
}

/** A character whose upper and lower halves are drawn, or not. */
function halfBlock(upper: boolean, lower: boolean): string {
  if (upper) return lower ? '█' : '▀';
  return lower ? '▄' : ' ';
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}

/** PNG of one bit a pixel (ISO/IEC 15948). */
export function pngOfQr(matrix: QrMatrix): Buffer {
  const size = matrix.length * PIXELS;
  const rows = matrix.flatMap((modules) => {
    const row = Buffer.alloc(1 + Math.ceil(size / 8), 0xff);
    row[0] = 0; // no filter
    modules.forEach((isDark, x) => {
      for (let i = x * PIXELS; isDark && i < (x + 1) * PIXELS; i++) {
        const byte = 1 + (i >> 3);
        row[byte] = (row[byte] ?? 0) & ~(0x80 >> (i & 7));
      }
    });
    return Array.from({ length: PIXELS }, () => row);
  });
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header[8] = 1; // bits a sample, gray; compression, filter and interlace are 0
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(rows))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

export function svgOfQr(matrix: QrMatrix): string {
  const size = matrix.length;
  const path = matrix.flatMap((row, y) =>
    row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h${size}v${size}H0z"/><path d="${path.join('')}"/></svg>\n`;
}
