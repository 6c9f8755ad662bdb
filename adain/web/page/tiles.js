// Stylize pictures of any size exactly, in tiles: adain/transfer/tiling.py in the browser.
//
// A picture is an ImageData, or anything with width, height and data: RGBA, 0 to 255. A style is
// {mean, std}, Float32Arrays with all channels of the networks.

const STRIDE = 8; // features exist for blocks of 8 x 8 pixels
const SMALLEST = 2 * STRIDE;
const EPSILON = 1e-5; // of adain/networks/stats.py

const multiple = (length) => Math.ceil(length / STRIDE) * STRIDE;
const padded = (length) => Math.max(SMALLEST, multiple(length));

/** Divide `length` pixels into as few tiles as possible, of about equal length. */
function spans(length, tileSize, halo) {
  const size = multiple(Math.ceil(length / Math.ceil(length / tileSize)));
  const found = [];
  for (let start = 0; start < length; start += size) {
    found.push({
      start,
      stop: Math.min(start + size, length),
      from: Math.max(start - halo, 0), // of the window that is computed
      to: Math.min(start + size + halo, length),
    });
  }
  return found;
}

function tiles({ width, height }, tileSize, halo) {
  const across = spans(padded(width), tileSize, halo);
  return spans(padded(height), tileSize, halo).flatMap(
    (down) => across.map((columns) => ({ down, columns })));
}

/** Return the index of the pixel at `place`; beyond the end, pixels are mirrored. */
function mirrored(place, length) {
  const index = place % (2 * length);
  return index < length ? index : 2 * length - 1 - index;
}

/** Return the indices of a window's pixels in the picture, along one axis. */
function places({ from, to }, length) {
  return Int32Array.from({ length: to - from }, (_, index) => {
    // Only the part of the picture inside of the window is mirrored.
    const inside = Math.min(to, length) - from;
    return from + mirrored(index, inside);
  });
}

/** Return a tile's window as {data, rows, columns}: RGB from 0 to 1. */
function windowOf({ width, height, data }, { down, columns }) {
  const [lines, places_] = [places(down, height), places(columns, width)];
  const found = new Float32Array(lines.length * places_.length * 3);
  let index = 0;
  for (const line of lines) {
    for (const place of places_) {
      const pixel = 4 * (line * width + place);
      found[index++] = data[pixel] / 255;
      found[index++] = data[pixel + 1] / 255;
      found[index++] = data[pixel + 2] / 255;
    }
  }
  return { data: found, rows: lines.length, columns: places_.length };
}

/** Return a window of a mask {width, height, data: one number a pixel}. */
function maskOf({ width, height, data }, { down, columns }) {
  const [lines, places_] = [places(down, height), places(columns, width)];
  const found = new Float32Array(lines.length * places_.length);
  let index = 0;
  for (const line of lines) {
    for (const place of places_) {
      found[index++] = data[line * width + place];
    }
  }
  return found;
}

/**
 * Return the features of a tile. kept: an object that caches them if the picture is one tile.
 */
async function featuresOf(networks, picture, tile, window, kept) {
  const whole = tile.down.to >= picture.height && tile.down.from === 0
    && tile.columns.to >= picture.width && tile.columns.from === 0;
  if (!whole || !kept) {
    return networks.features(window);
  }
  kept.features ??= await networks.features(window);
  return kept.features;
}

/** Call use(index) for each pixel of a tile's core, as an index into its window. */
function forCore({ down, columns }, use) {
  const wide = columns.to - columns.from;
  for (let row = down.start - down.from; row < down.stop - down.from; row++) {
    for (let column = columns.start - columns.from; column < columns.stop - columns.from;
      column++) {
      use(row * wide + column);
    }
  }
}

/**
 * Return the channel statistics of a whole picture, {mean, std}.
 *
 * mask: the weight of each pixel, {width, height, data}; null: all pixels count equally.
 * step(pixels): awaited after each tile, with the number of pixels of its core.
 * kept: an object that caches features for other calls with the same picture.
 */
export async function measure(networks, picture, tileSize,
  { mask = null, step = async () => {}, kept = null } = {}) {
  const { channels, radius } = networks;
  const [sum, squares] = [new Float64Array(channels), new Float64Array(channels)];
  let area = 0;
  for (const tile of tiles(picture, tileSize, multiple(radius))) {
    const window = windowOf(picture, tile);
    const weights = new Float32Array(window.rows * window.columns);
    const shares = mask && maskOf(mask, tile);
    let part = 0;
    forCore(tile, (index) => {
      weights[index] = shares ? shares[index] : 1;
      part += weights[index];
    });
    if (part) {
      const features = await featuresOf(networks, picture, tile, window, kept);
      const { mean, variance } = await networks.measure(features, weights);
      area += part;
      for (let channel = 0; channel < channels; channel++) {
        sum[channel] += part * mean[channel];
        squares[channel] += part * (variance[channel] + mean[channel] ** 2);
      }
    }
    await step(sizeOf(tile));
  }
  const mean = sum.map((value) => value / area);
  const std = squares.map((value, channel) => Math.sqrt(
    Math.max(value / area - mean[channel] ** 2, 0) + EPSILON));
  return { mean: Float32Array.from(mean), std: Float32Array.from(std) };
}

const sizeOf = ({ down, columns }) => (down.stop - down.start) * (columns.stop - columns.start);

/** Return a mixture of styles; weights: 0 or more, not all 0. */
export function merge(styles, weights) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const mix = (name) => styles[0][name].map((_, channel) => styles.reduce(
    (sum, style, index) => sum + (weights[index] / total) * style[name][channel], 0));
  return { mean: mix("mean"), std: mix("std") };
}

/** Return the scales and shifts of AdaIN from the content's to the style's statistics, by alpha. */
function affine(content, style, alpha) {
  const scale = new Float32Array(content.mean.length);
  const shift = new Float32Array(content.mean.length);
  for (let channel = 0; channel < scale.length; channel++) {
    const std = (1 - alpha) * content.std[channel] + alpha * style.std[channel];
    const mean = (1 - alpha) * content.mean[channel] + alpha * style.mean[channel];
    scale[channel] = std / content.std[channel];
    shift[channel] = mean - content.mean[channel] * scale[channel];
  }
  return { scale, shift };
}

/**
 * Return the stylized picture, an ImageData.
 *
 * styles: one style, or with masks one for each mask.
 * masks: {width, height, data}: as large as the picture, 0 to 255; null: one style everywhere.
 * kept: an object that caches features and statistics for other calls with the same picture.
 */
export async function stylize(networks, picture, styles, alpha, tileSize,
  { masks = null, step = async () => {}, kept = {} } = {}) {
  const pairs = [];
  for (const [index, style] of styles.entries()) {
    let own = masks ? null : kept.stats;
    own ??= await measure(networks, picture, tileSize, { mask: masks?.[index], step, kept });
    if (!masks) {
      kept.stats = own;
    }
    pairs.push(affine(own, style, alpha));
  }
  const table = (name) => Float32Array.from(pairs.flatMap((pair) => [...pair[name]]));
  const [scales, shifts] = [table("scale"), table("shift")];
  // With the picture's opacity.
  const result = new ImageData(new Uint8ClampedArray(picture.data), picture.width, picture.height);
  for (const tile of tiles(picture, tileSize, multiple(2 * networks.radius))) {
    const window = windowOf(picture, tile);
    const { shares, coverage } = masks ? sharesOf(masks, tile)
      : { shares: new Float32Array(window.rows * window.columns).fill(1), coverage: null };
    const features = await featuresOf(networks, picture, tile, window, kept);
    const stylized = await networks.paint(features, shares, scales, shifts);
    put(result, tile, window, stylized, coverage);
    await step(sizeOf(tile));
  }
  return result;
}

/** Return the weight of each mask in each pixel of a window, summing to 1, and their coverage. */
function sharesOf(masks, tile) {
  const windows = masks.map((mask) => maskOf(mask, tile));
  const size = windows[0].length;
  const shares = new Float32Array(windows.length * size);
  const coverage = new Float32Array(size);
  for (let pixel = 0; pixel < size; pixel++) {
    const total = windows.reduce((sum, window) => sum + window[pixel] / 255, 0);
    coverage[pixel] = Math.min(total, 1);
    windows.forEach((window, index) => {
      // Outside of all masks any weights will do, as the content is shown there.
      shares[index * size + pixel] = total > 0 ? window[pixel] / 255 / Math.max(total, 1e-6)
        : 1 / windows.length;
    });
  }
  return { shares, coverage };
}

/** Copy a tile's core from its window into the result. */
function put({ width, height, data }, { down, columns }, window, stylized, coverage) {
  const stop = Math.min(columns.stop, width);
  for (let row = down.start; row < Math.min(down.stop, height); row++) {
    for (let column = columns.start; column < stop; column++) {
      const from = (row - down.from) * window.columns + column - columns.from;
      const to = 4 * (row * width + column);
      for (let channel = 0; channel < 3; channel++) {
        let value = stylized[3 * from + channel];
        if (coverage) {
          value = coverage[from] * value + (1 - coverage[from]) * window.data[3 * from + channel];
        }
        data[to + channel] = Math.floor(Math.min(Math.max(value * 255 + 0.5, 0), 255));
      }
    }
  }
}

/** Return the maximum number of pixels that a call of stylize() computes. */
export function cost({ width, height }, masks) {
  return padded(width) * padded(height) * (1 + (masks ? masks.length : 1));
}

/** Return the tile size for a picture: one tile if it is not larger than a tile with its halo. */
export function tileSizeFor(networks, { width, height }, tileSize) {
  const whole = padded(width) * padded(height)
    <= (tileSize + 2 * multiple(2 * networks.radius)) ** 2;
  return whole ? Math.max(padded(width), padded(height)) : tileSize;
}
