import type { ByteReader } from './byte-reader.js';

/** Facts of an image that were found on the way through it. */
export class ImageFacts {
  width: number | undefined;
  height: number | undefined;
  /** As EXIF has it: 1 is upright, 5 to 8 are turned by a quarter. */
  orientation = 1;
  /** Whether there were bytes that are no part of the picture, and were left out. */
  hasMetadata = false;

  /** Width and height as the picture is shown. */
  get shown(): { readonly width: number; readonly height: number } | undefined {
    const { width, height } = this;
    if (width === undefined || height === undefined || width === 0 || height === 0)
      return undefined;
    return this.orientation >= 5 ? { width: height, height: width } : { width, height };
  }
}

/**
 * Goes through an image, and gives it without what is no part of the picture. Views are valid until
 * the next one is asked for.
 */
export type ImageWalk = (
  reader: ByteReader,
  facts: ImageFacts,
) => AsyncGenerator<Uint8Array, void, void>;
