// Resize pictures as adain/files/images.py does with OpenCV: area means to shrink, cubic
// interpolation (Keys 1981, a = -0.75) to enlarge.

const CUBIC = -0.75;

/** Round to the nearest integer, and halves to the even one, as Python's round() does. */
export function round(value) {
  const whole = Math.floor(value);
  return value - whole === 0.5 ? whole + (whole % 2) : Math.round(value);
}

/** Return the sides of a picture after it is resized to a shorter side of `size` pixels. */
export function sidesOf({ width, height }, size) {
  const scale = size / Math.min(width, height);
  return [width, height].map((side) => Math.max(size, round(side * scale)));
}

/**
 * Return resized samples.
 *
 * data: 0 to 255, `channels` numbers per pixel, row by row.
 */
export function resizeSamples(data, channels, [width, height], [toWidth, toHeight]) {
  if (width === toWidth && height === toHeight) {
    return data;
  }
  const shrinks = toWidth <= width && toHeight <= height;
  const factors = [width / toWidth, height / toHeight];
  const isWhole = shrinks && factors.every(Number.isInteger);
  const weights = isWhole ? wholeWeights : shrinks ? areaWeights : cubicWeights;
  const [columns, rows] = [weights(width, toWidth), weights(height, toHeight)];
  const wide = toWidth * channels;
  const finish = isWhole ? meanOf(...factors) : null;
  const result = new Uint8ClampedArray(wide * toHeight); // which rounds halves to even
  const sums = new Float32Array(wide);
  const lines = new Map(); // rows of the picture, in their new width
  for (let row = 0; row < toHeight; row++) {
    sums.fill(0);
    const first = rows.first[row];
    for (let index = 0; index < rows.count; index++) {
      const weight = rows.weights[row * rows.count + index];
      if (weight) {
        const line = lineOf(Math.min(Math.max(first + index, 0), height - 1));
        for (let at = 0; at < wide; at++) {
          sums[at] += Math.fround(weight * line[at]);
        }
      }
    }
    result.set(finish ? sums.map(finish) : sums, row * wide);
    lines.forEach((_, key) => key < first && key && lines.delete(key));
  }
  return result;

  function lineOf(row) {
    if (!lines.has(row)) {
      lines.set(row, across(data, row * width * channels, channels, width, columns));
    }
    return lines.get(row);
  }
}

/** Return a row of samples resized to another width. */
function across(data, start, channels, width, { count, first, weights }) {
  const line = new Float32Array(first.length * channels);
  for (let column = 0; column < first.length; column++) {
    for (let index = 0; index < count; index++) {
      const weight = weights[column * count + index];
      if (weight) {
        const from = start + channels * Math.min(Math.max(first[column] + index, 0), width - 1);
        for (let channel = 0; channel < channels; channel++) {
          line[column * channels + channel] += Math.fround(weight * data[from + channel]);
        }
      }
    }
  }
  return line;
}

/** Return the function from a sum of pixels to their mean; OpenCV rounds means of 2 x 2 up. */
function meanOf(across, down) {
  const share = Math.fround(1 / (across * down));
  return across === 2 && down === 2 ? (sum) => Math.floor(sum / 4 + 0.5) : (sum) => sum * share;
}

// For each new pixel: the first old pixel with a weight, and the weights from there on.

function wholeWeights(length, toLength) {
  const count = length / toLength;
  return { count, first: Int32Array.from({ length: toLength }, (_, place) => place * count),
    weights: new Float32Array(length).fill(1) };
}

function areaWeights(length, toLength) {
  const scale = length / toLength;
  const count = Math.ceil(scale) + 1;
  const first = new Int32Array(toLength);
  const weights = new Float32Array(toLength * count);
  const least = 1e-3; // of an old pixel, to count
  for (let place = 0; place < toLength; place++) {
    const [from, to] = [place * scale, place * scale + scale];
    const size = Math.min(scale, length - from);
    const last = Math.min(Math.floor(to), length - 1);
    const whole = Math.min(Math.ceil(from), last);
    const found = [];
    if (whole - from > least) {
      found.push((whole - from) / size);
    }
    first[place] = whole - found.length;
    for (let old = whole; old < last; old++) {
      found.push(1 / size);
    }
    if (to - last > least) {
      found.push(Math.min(to - last, 1, size) / size);
    }
    weights.set(found, place * count);
  }
  return { count, first, weights };
}

function cubicWeights(length, toLength) {
  const scale = length / toLength;
  const first = new Int32Array(toLength);
  const weights = new Float32Array(toLength * 4);
  const outer = (x) => ((CUBIC * x - 5 * CUBIC) * x + 8 * CUBIC) * x - 4 * CUBIC;
  const inner = (x) => ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1;
  for (let place = 0; place < toLength; place++) {
    const exact = (place + 0.5) * scale - 0.5;
    const old = Math.floor(exact);
    const part = exact - old;
    const found = [outer(part + 1), inner(part), inner(1 - part)];
    first[place] = old - 1;
    weights.set([...found, 1 - found[0] - found[1] - found[2]], place * 4);
  }
  return { count: 4, first, weights };
}
