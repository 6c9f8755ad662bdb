// Write PNG files: a canvas premultiplies colours, which loses those of transparent pixels.

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Return a chunk of a PNG file. */
export function chunk(name, content) {
  const found = new Uint8Array(12 + content.length);
  const view = new DataView(found.buffer);
  view.setUint32(0, content.length);
  found.set([...name].map((letter) => letter.charCodeAt(0)), 4);
  found.set(content, 8);
  view.setUint32(8 + content.length, crc32(found.subarray(4, 8 + content.length)));
  return found;
}

/** Return an ImageData as a PNG file, a Blob, with exactly the same colours and opacity. */
export async function encodePng({ width, height, data }) {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 6], 8); // bits, RGBA
  const wide = 4 * width;
  let row = 0;
  const lines = new ReadableStream({
    pull(controller) {
      if (row === height) {
        controller.close();
        return;
      }
      // PNG filter Up: the difference to the sample above, which compresses better.
      const line = new Uint8Array(1 + wide);
      line[0] = 2;
      const at = wide * row++;
      for (let index = 0; index < wide; index++) {
        line[1 + index] = data[at + index] - (at ? data[at + index - wide] : 0);
      }
      controller.enqueue(line);
    },
  });
  const packed = await new Response(
    lines.pipeThrough(new CompressionStream("deflate"))).arrayBuffer();
  return new Blob([Uint8Array.from(SIGNATURE), chunk("IHDR", header),
    chunk("sRGB", Uint8Array.of(0)), chunk("IDAT", new Uint8Array(packed)),
    chunk("IEND", new Uint8Array())], { type: "image/png" });
}

const REMAINDERS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) {
    crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return crc;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc = (crc >>> 8) ^ REMAINDERS[(crc ^ byte) & 0xff];
  }
  return (crc ^ 0xffffffff) >>> 0;
}
