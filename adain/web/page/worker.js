// The worker of engine_browser.js: it opens pictures and computes, so that the page stays responsive.
//
// Messages to the worker: {call, name, parameters} for one of `methods`, {cancel: call}. From the
// worker: {call, result}, {call, error: {message, status}}, {call, cancelled}, {call, progress}.

import { keepColors, restoreColors } from "./colors.js";
import { loadNetworks } from "./networks.js";
import { UserError, decode, resize, resizeShorter, shrink, toFile, toScreen } from "./pictures.js";
import { resizeSamples } from "./resize.js";
import { cost, measure, merge, stylize, tileSizeFor } from "./tiles.js";
import { copyOpacity, isTransparent } from "./transparency.js";

const TILE_SIZE = 512; // pixels; larger pictures are computed in tiles of about this size
const STYLE_SIZE = 512; // pixels of a painting's shorter side, as in Python
const SCREEN_SIZE = 640; // pixels of the shorter side of a photograph that the page shows
const THUMBNAIL_SIZE = 160;
const MOST_KEPT = 3; // sizes of a photograph whose features are kept: 30 MB each at most

const base = new URL(".", self.location);
const contents = new Map(); // id -> {file, name, screen, kept}
const styles = new Map(); // id -> {title, picture, encoded: Map to statistics}
const cancelled = new Set(); // calls
let networks; // a Promise
let maxPixels;
let count = 0;

/** Return masks {width, height, data}, one number a pixel, from Blobs. */
async function openMasks(blobs) {
  const found = [];
  for (const blob of blobs) {
    const { width, height, data } = await decode(blob, "The mask", maxPixels);
    found.push({ width, height,
      data: Uint8Array.from({ length: width * height }, (_, pixel) => data[4 * pixel]) }); // grey
  }
  return found;
}

/** Return a mask resized to a picture. */
function resizeMask({ width, height, data }, picture) {
  const resized = resizeSamples(data, 1, [width, height], [picture.width, picture.height]);
  if (!resized.some(Boolean)) {
    throw new UserError("A region is too small to be painted.");
  }
  return { width: picture.width, height: picture.height, data: resized };
}

/** Return a painting shrunk to the size at which styles are encoded. */
async function decodeStyle(file, name) {
  return shrink(await decode(file, name, maxPixels), STYLE_SIZE);
}

/** Return the open photograph; throw an AbortError if another one was opened since. */
function opened(id) {
  if (!contents.has(id)) {
    throw new DOMException("another photograph was opened", "AbortError");
  }
  return contents.get(id);
}

/** Return the statistics of a style, which takes the colours of `content` if `mode` is set. */
async function encoded(id, mode, content, key) {
  const style = styles.get(id);
  const name = mode ? `${mode} ${key}` : "";
  if (!style.encoded.has(name)) {
    style.picture ??= await decodeStyle(await style.open(), style.title);
    const picture = mode ? keepColors(style.picture, content, mode) : style.picture;
    const loaded = await networks;
    style.encoded.set(name, await measure(loaded, picture,
      tileSizeFor(loaded, picture, TILE_SIZE)));
  }
  return style.encoded.get(name);
}

/**
 * Return the picture of a recipe.
 *
 * kept: a Map that caches what was computed for the content; key: its key there.
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
  const masks = recipe.masks && await openMasks(recipe.masks);
  let done = 0;
  const total = passes.reduce((sum, picture) => sum + cost(picture, masks), 0);
  let [made] = passes;
  for (const [index, { width, height }] of passes.entries()) {
    made = resize(made, [width, height]);
    made = await stylize(loaded, made, mixed, recipe.alpha,
      tileSizeFor(loaded, made, TILE_SIZE), {
        masks: masks?.map((mask) => resizeMask(mask, made)),
        kept: index ? {} : keptOf(kept, `${key} ${coarse ? coarseSize : ""}`),
        step,
      });
  }
  return copyOpacity(content, restoreColors(made, content, recipe.keepColors));

  async function step(pixels) {
    done += pixels;
    progress(Math.min(1, done / total));
    await new Promise((resolve) => setTimeout(resolve)); // lets a {cancel} arrive
    if (cancelled.has(call)) {
      throw new DOMException("cancelled", "AbortError");
    }
  }
}

/** Return the cache object of a key, a new one if there is none; only the newest ones are kept. */
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
    const whole = await decode(file, name, maxPixels);
    const { width, height } = whole;
    const screen = shrink(whole, SCREEN_SIZE);
    const id = `photograph-${count++}`;
    contents.clear(); // the page has one at a time
    contents.set(id, { file, name, screen, kept: new Map() });
    return { id, name, width, height, transparent: isTransparent(whole),
      picture: await toScreen(screen) };
  },

  async encodeStyle(_, file, name) {
    const id = `${name}-${file.size}-${file.lastModified}`;
    const picture = await decodeStyle(file, name);
    const title = name.replace(/\.[^.]*$/, "");
    if (!styles.has(id)) {
      styles.set(id, { title, picture, encoded: new Map() });
    }
    return { id, title, picture: await toScreen(shrink(picture, THUMBNAIL_SIZE)) };
  },

  async preview(call, id, recipe, size) {
    const { screen, kept } = opened(id);
    const content = resizeShorter(screen, size);
    return toScreen(await paint(content, recipe, `${id} ${size}`, kept, call));
  },

  async full(call, id, recipe) {
    const { file, name } = opened(id);
    const whole = await decode(file, name, maxPixels);
    const content = recipe.contentSize ? resizeShorter(whole, recipe.contentSize) : whole;
    const { width, height } = content;
    const made = await paint(content, recipe, `${id} full ${width}`, new Map(), call,
      (share) => postMessage({ call, progress: { share } }));
    const blob = await toFile(made, recipe.format, file);
    const titles = recipe.styles.map((style) => styles.get(style.id).title.replaceAll(" ", "_"));
    return { blob, width, height, bytes: blob.size,
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
