// EXIF data of a photograph, copied to the finished picture.

import { chunk } from "./png.js";

const NAME = [0x45, 0x78, 0x69, 0x66, 0, 0]; // "Exif\0\0"
const ORIENTATION = 0x0112;

/** Return the EXIF data of a JPEG or PNG file, as a TIFF block for an upright picture, or null. */
export async function readExif(file) {
  // In a JPEG it precedes the picture and has at most 64 kB; in a PNG it can be anywhere.
  const bytes = new Uint8Array(await file.slice(0, 1 << 20).arrayBuffer());
  const found = bytes[0] === 0xff && bytes[1] === 0xd8 ? ofJpeg(bytes)
    : bytes[0] === 0x89 && bytes[1] === 0x50 ? ofPng(bytes) : null;
  return found && upright(found);
}

function ofJpeg(bytes) {
  const view = new DataView(bytes.buffer);
  for (let at = 2; at + 10 < bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xda;) {
    const length = view.getUint16(at + 2);
    if (bytes[at + 1] === 0xe1 && NAME.every((value, index) => bytes[at + 4 + index] === value)) {
      return bytes.slice(at + 10, at + 2 + length);
    }
    at += 2 + length;
  }
  return null;
}

function ofPng(bytes) {
  const view = new DataView(bytes.buffer);
  for (let at = 8; at + 12 < bytes.length;) {
    const length = view.getUint32(at);
    if (String.fromCharCode(...bytes.slice(at + 4, at + 8)) === "eXIf") {
      return bytes.slice(at + 8, at + 8 + length);
    }
    at += 12 + length;
  }
  return null;
}

/** Return EXIF data with the orientation upright, as the finished picture is; null: damaged. */
function upright(exif) {
  const view = new DataView(exif.buffer);
  try {
    const little = view.getUint16(0) === 0x4949;
    const directory = view.getUint32(4, little);
    for (let entry = 0; entry < view.getUint16(directory, little); entry++) {
      const at = directory + 2 + 12 * entry;
      if (view.getUint16(at, little) === ORIENTATION) {
        view.setUint16(at + 8, 1, little);
      }
    }
    return exif;
  } catch (error) {
    if (error instanceof RangeError) {
      return null;
    }
    throw error;
  }
}

/** Return an encoded picture with EXIF data added; null: no data. */
export async function writeExif(blob, type, exif) {
  if (!exif) {
    return blob;
  }
  if (type === "image/jpeg") {
    const length = exif.length + 8;
    if (length > 0xffff) {
      return blob;
    }
    const head = Uint8Array.from([0xff, 0xe1, length >> 8, length & 0xff, ...NAME]);
    return new Blob([blob.slice(0, 2), head, exif, blob.slice(2)], { type });
  }
  const end = 8 + 25; // after the signature and IHDR
  return new Blob([blob.slice(0, end), chunk("eXIf", exif), blob.slice(end)], { type });
}
