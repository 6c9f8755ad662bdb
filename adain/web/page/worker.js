// The worker of engine_browser.js: it opens pictures and computes, so that the page stays quick.
//
// Messages to it: {call, name, parameters} for one of `methods`, {cancel: call}. From it: {call,
// result}, {call, error: {message, status}}, {call, cancelled}, {call, progress}.

import { keepColors, restoreColors } from "./colors.js";
import { readExif, writeExif } from "./exif.js";
import { loadNetworks } from "./networks.js";
import { cost, measure, merge, stylize, tileSizeFor } from "./tiles.js";

const TILE_SIZE = 512; // pixels; larger pictures are computed in tiles of about this size
const STYLE_SIZE = 512; // pixels of a painting's shorter side, as in Python
const SCREEN_SIZE = 640; // pixels of the shorter side of a photograph that the page shows
const MOST_KEPT = 3; // sizes of a photograph whose features are kept: 30 MB each at most
const QUALITY = { preview: 0.9, finished: 0.95 }; // of JPEG

const base = new URL(".", self.location);
const contents = new Map(); // id -> {file, name, width, height, screen, kept}
const styles = new Map(); // id -> {title, picture, encoded: Map to statistics}
const cancelled = new Set(); // calls
let networks; // a Promise
let maxPixels;
let count = 0;

class UserError extends Error {
  constructor(message, status = 400) {
    super(message);
    this.status = status;
  }
}

/** Return a file's picture as an ImageData, upright, on white, shrunk to a shorter side. */
async function decode(file, name, shorter = null, sides = null) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new UserError(`${name} is not a picture that this browser can read: try JPEG or PNG.`);
  }
  let { width, height } = bitmap;
  if (width * height > maxPixels) {
    bitmap.close();
    throw new UserError(`${name} has ${width} × ${height} pixels; the limit in a browser is `
      + `${maxPixels / 1e6} megapixels.`, 413);
  }
  const scale = shorter && Math.min(width, height) > shorter ? shorter / Math.min(width, height)
    : 1;
  [width, height] = sides ?? [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  const drawn = draw(bitmap, width, height);
  bitmap.close();
  return drawn.getContext("2d").getImageData(0, 0, width, height);
}

function draw(source, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) {
    throw new UserError(`A picture of ${width} × ${height} is too large for this browser.`, 413);
  }
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0, width, height);
  return canvas;
}

/** Return a picture in another size. */
function resize(picture, width, height) {
  if (picture.width === width && picture.height === height) {
    return picture;
  }
  const canvas = toCanvas(picture);
  return draw(canvas, width, height).getContext("2d").getImageData(0, 0, width, height);
}

function resizeShorter(picture, size) {
  const scale = size / Math.min(picture.width, picture.height);
  return scale >= 1 ? picture : resize(picture,
    ...[picture.width, picture.height].map((side) => Math.max(1, Math.round(side * scale))));
}

function toCanvas(picture) {
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

function encodePicture(picture, type, quality) {
  return toCanvas(picture).convertToBlob({ type, quality });
}

/** Return masks {width, height, data} of a picture's size from Blobs. */
async function openMasks(blobs, { width, height }) {
  const found = [];
  for (const blob of blobs) {
    const { data } = await decode(blob, "The mask", null, [width, height]);
    const mask = new Uint8Array(width * height);
    for (let pixel = 0; pixel < mask.length; pixel++) {
      mask[pixel] = data[4 * pixel]; // grey
    }
    if (!mask.some(Boolean)) {
      throw new UserError("A region is too small to be painted.");
    }
    found.push({ width, height, data: mask });
  }
  return found;
}

/** Return a photograph that was opened; an AbortError if another one was since. */
function opened(id) {
  if (!contents.has(id)) {
    throw new DOMException("another photograph was opened", "AbortError");
  }
  return contents.get(id);
}

/** Return a style's statistics; content: whose colours it takes, where `mode` says so. */
async function encoded(id, mode, content, key) {
  const style = styles.get(id);
  const name = mode ? `${mode} ${key}` : "";
  if (!style.encoded.has(name)) {
    style.picture ??= await decode(await style.open(), style.title, STYLE_SIZE);
    const picture = mode ? keepColors(style.picture, content, mode) : style.picture;
    const loaded = await networks;
    style.encoded.set(name, await measure(loaded, picture,
      tileSizeFor(loaded, picture, TILE_SIZE)));
  }
  return style.encoded.get(name);
}

/**
 * Return the picture that a recipe asks for.
 *
 * kept: a Map that holds what was computed of the content, for the next recipe; key: names it.
 */
async function paint(content, recipe, key, kept, call, progress = () => {}) {
  const loaded = await networks;
  const found = [];
  for (const { id } of recipe.styles) {
    found.push(await encoded(id, recipe.keepColors, content, key));
  }
  const mixed = recipe.masks ? found
    : [merge(found, found.length > 1 ? recipe.styles.map(({ weight }) => weight) : [1])];
  const { coarseSize } = recipe;
  const coarse = coarseSize && Math.min(content.width, content.height) > coarseSize;
  const passes = coarse ? [resizeShorter(content, coarseSize), content] : [content];
  let done = 0;
  const total = passes.reduce((sum, picture) => sum + cost(picture, recipe.masks), 0);
  let [made] = passes;
  for (const [index, { width, height }] of passes.entries()) {
    made = resize(made, width, height);
    made = await stylize(loaded, made, mixed, recipe.alpha,
      tileSizeFor(loaded, made, TILE_SIZE), {
        masks: recipe.masks && await openMasks(recipe.masks, made),
        kept: index ? {} : keptOf(kept, `${key} ${coarse ? coarseSize : ""}`),
        step,
      });
  }
  return restoreColors(made, content, recipe.keepColors);

  async function step(pixels) {
    done += pixels;
    progress(Math.min(1, done / total));
    await new Promise((resolve) => setTimeout(resolve)); // lets a {cancel} arrive
    if (cancelled.has(call)) {
      throw new DOMException("cancelled", "AbortError");
    }
  }
}

/** Return what is kept under a key; only the newest are. */
function keptOf(kept, key) {
  const found = kept.get(key) ?? {};
  kept.delete(key);
  kept.set(key, found);
  if (kept.size > MOST_KEPT) {
    kept.delete(kept.keys().next().value);
  }
  return found;
}

const methods = {
  async start(_, shipped, limit) {
    maxPixels = limit;
    const about = await (await fetch(new URL("models/networks.json", base))).json();
    networks = loadNetworks(base, about).catch((error) => {
      throw new UserError(`The networks cannot be loaded: ${error.message ?? error}.`, 500);
    });
    networks.catch(() => {}); // who needs them is told
    shipped.forEach(({ id, title, file, mean, std }) => styles.set(id, {
      title,
      open: async () => (await fetch(new URL(file, base))).blob(),
      encoded: new Map([["", { mean: Float32Array.from(mean), std: Float32Array.from(std) }]]),
    }));
  },

  async openContent(_, file, name) {
    const whole = await decode(file, name);
    const { width, height } = whole;
    const screen = resizeShorter(whole, SCREEN_SIZE);
    const id = `photograph-${count++}`;
    contents.clear(); // the page has one at a time
    contents.set(id, { file, name, width, height, screen, kept: new Map() });
    return { id, name, width, height, picture: await encodePicture(screen, "image/jpeg",
      QUALITY.preview) };
  },

  async encodeStyle(_, file, name) {
    const id = `${name}-${file.size}-${file.lastModified}`;
    const picture = await decode(file, name, STYLE_SIZE);
    const title = name.replace(/\.[^.]*$/, "");
    if (!styles.has(id)) {
      styles.set(id, { title, picture, encoded: new Map() });
    }
    return { id, title, picture: await encodePicture(resizeShorter(picture, 160), "image/jpeg",
      QUALITY.preview) };
  },

  async preview(call, id, recipe, size) {
    const { screen, kept } = opened(id);
    const content = resizeShorter(screen, size);
    const made = await paint(content, recipe, `${id} ${size}`, kept, call);
    return encodePicture(made, "image/jpeg", QUALITY.preview);
  },

  async full(call, id, recipe) {
    const { file, name, width, height } = opened(id);
    const scale = recipe.contentSize ? recipe.contentSize / Math.min(width, height) : 1;
    const sides = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
    const content = await decode(file, name, null, sides);
    const made = await paint(content, recipe, `${id} full ${sides}`, new Map(), call,
      (share) => postMessage({ call, progress: { share } }));
    const type = recipe.format === "png" ? "image/png" : "image/jpeg";
    const blob = await writeExif(await encodePicture(made, type, QUALITY.finished), type,
      await readExif(file));
    const titles = recipe.styles.map((style) => styles.get(style.id).title.replaceAll(" ", "_"));
    return { blob, width: made.width, height: made.height, bytes: blob.size,
      name: `${name.replace(/\.[^.]*$/, "")}_${titles.join("+")}`.slice(0, 120)
        + `.${recipe.format}` };
  },
};

self.addEventListener("message", async ({ data: { call, name, parameters, cancel } }) => {
  if (cancel !== undefined) {
    cancelled.add(cancel);
    return;
  }
  try {
    postMessage({ call, result: await methods[name](call, ...parameters) });
  } catch (error) {
    if (error.name === "AbortError") {
      postMessage({ call, cancelled: true });
    } else {
      const memory = error instanceof RangeError || /memory|alloc/i.test(error.message ?? error);
      postMessage({ call, error: {
        message: memory ? "This browser has too little memory for that picture: make it smaller."
          : error.message ?? String(error),
        status: memory ? 413 : error.status } });
    }
  } finally {
    cancelled.delete(call);
  }
});
