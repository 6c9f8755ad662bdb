// Read and write picture files as ImageData; colours are not premultiplied by opacity, as in Python.

import { readExif, writeExif } from "./exif.js";
import { encodePng } from "./png.js";
import { resizeSamples, sidesOf } from "./resize.js";
import { fillTransparent, isTransparent, opaque, putOnWhite } from "./transparency.js";

/** An error that a user can cause; status: as in HTTP. */
export class UserError extends Error {
  constructor(message, status = 400) {
    super(message);
    this.status = status;
  }
}

/** Return a file's picture, upright, with transparent pixels filled; name: for errors. */
export async function decode(file, name, maxPixels) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new UserError(`${name} is not a picture that this browser can read: try JPEG or PNG.`);
  }
  const { width, height } = bitmap;
  if (width * height > maxPixels) {
    bitmap.close();
    throw new UserError(`${name} has ${width} × ${height} pixels; the limit in a browser is `
      + `${maxPixels / 1e6} megapixels.`, 413);
  }
  const context = new OffscreenCanvas(width, height).getContext("2d",
    { willReadFrequently: true });
  if (!context) {
    throw new UserError(`A picture of ${width} × ${height} is too large for this browser.`, 413);
  }
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  let picture = context.getImageData(0, 0, width, height);
  if (isTransparent(picture, { partly: true })) {
    picture = await decodeExactly(file, picture) ?? picture;
  }
  return fillTransparent(picture);
}

/**
 * Return a file's picture with exact colours of partly transparent pixels, which a canvas rounds;
 * null if the browser cannot decode it so. drawn: the picture as drawn on a canvas.
 */
async function decodeExactly(file, drawn) {
  const { type } = file;
  if (!self.ImageDecoder || !await ImageDecoder.isTypeSupported(type)) {
    return null;
  }
  const decoder = new ImageDecoder({ data: await file.arrayBuffer(), type,
    premultiplyAlpha: "none" });
  const { image } = await decoder.decode();
  const data = new Uint8ClampedArray(image.allocationSize());
  await image.copyTo(data); // a conversion would multiply
  const { format } = image;
  image.close();
  decoder.close();
  if (format === "BGRA") {
    for (let at = 0; at < data.length; at += 4) {
      [data[at], data[at + 2]] = [data[at + 2], data[at]];
    }
  }
  // Unlike the other one it is not turned upright, nor are its colours converted to sRGB; and Firefox
  // multiplies them by their opacity. What is seen must be the same.
  const isSame = data.length === drawn.data.length && data.every((value, index) => (
    index % 4 === 3 ? value === drawn.data[index]
      : Math.abs(value - drawn.data[index]) * data[index | 3] <= 255));
  return isSame ? new ImageData(data, drawn.width, drawn.height) : null;
}

/** Return a picture resized. */
export function resize({ width, height, data }, sides) {
  return new ImageData(resizeSamples(data, 4, [width, height], sides), ...sides);
}

/** Return a picture resized to a shorter side of `size` pixels. */
export function resizeShorter(picture, size) {
  return resize(picture, sidesOf(picture, size));
}

/** Return a picture shrunk to a shorter side of at most `size` pixels. */
export function shrink(picture, size) {
  return Math.min(picture.width, picture.height) > size ? resizeShorter(picture, size) : picture;
}

/** Return a picture as a JPEG for the screen, without its transparency. */
export function toScreen(picture) {
  return toBlob(opaque(picture), "image/jpeg", 0.9);
}

/** Return a finished picture as a file, with the EXIF data of the photograph. */
export async function toFile(picture, format, photograph) {
  const type = format === "png" ? "image/png" : "image/jpeg";
  const blob = format !== "png" ? await toBlob(putOnWhite(picture), type, 0.95)
    : isTransparent(picture) ? await encodePng(picture) : await toBlob(picture, type);
  return writeExif(blob, type, await readExif(photograph));
}

function toBlob(picture, type, quality) {
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas.convertToBlob({ type, quality });
}
