// Handle transparent pictures like Python: adain/files/images.py and writer.py in the browser.
//
// A picture is an ImageData: colours that are not premultiplied, and opacity.

import { round } from "./resize.js";

/** Return whether any pixel is transparent; partly: whether any is only partly transparent. */
export function isTransparent({ data }, { partly = false } = {}) {
  for (let at = 3; at < data.length; at += 4) {
    if (data[at] < 255 && (!partly || data[at] > 0)) {
      return true;
    }
  }
  return false;
}

/** Return a picture without its transparency. */
export function opaque({ width, height, data }) {
  const result = new ImageData(new Uint8ClampedArray(data), width, height);
  for (let at = 3; at < data.length; at += 4) {
    result.data[at] = 255;
  }
  return result;
}

/** Give a picture the opacity of another one of its size, in place. */
export function copyOpacity({ data }, picture) {
  for (let at = 3; at < data.length; at += 4) {
    picture.data[at] = data[at];
  }
  return picture;
}

/** Blend a picture with white, in place, for formats without transparency. */
export function putOnWhite(picture) {
  const { data } = picture;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] < 255) {
      for (let channel = at; channel < at + 3; channel++) {
        data[channel] = 255 - Math.round(((255 - data[channel]) * data[at + 3]) / 255);
      }
      data[at + 3] = 255;
    }
  }
  return picture;
}

/**
 * Give fully transparent pixels the colours of visible pixels nearby, in place: their stored colour
 * is often black, which the networks would mix into visible edges. Each gets the mean of the visible
 * pixels at the finest resolution, of half, quarter ..., that has any.
 */
export function fillTransparent(picture) {
  const { width, height, data } = picture;
  let [some, none] = [false, true];
  for (let at = 3; at < data.length; at += 4) {
    some ||= data[at] === 0;
    none &&= data[at] === 0;
  }
  if (!some || none) {
    return picture;
  }
  // Colours times opacity, and opacity.
  const half = halve({ width, height, data }, (at, channel) => (
    channel < 3 ? data[at + channel] * data[at + 3] : data[at + 3]));
  fill(half);
  half.data.forEach((value, index) => {
    half.data[index] = round(value);
  });
  replace(picture, half, (a, b, c, d) => (
    (((1536 * (96 * a + 32 * b)) >> 16) + ((512 * (96 * c + 32 * d)) >> 16) + 2) >> 2)); // OpenCV's
  return picture;
}

/** Return the means of 2 x 2 pixels; an odd last row or column counts twice. */
function halve({ width, height, data }, value = (at, channel) => data[at + channel]) {
  const [wide, high] = [width, height].map((side) => Math.ceil(side / 2));
  const found = new Float32Array(4 * wide * high);
  for (let row = 0; row < high; row++) {
    const rows = [2 * row, Math.min(2 * row + 1, height - 1)];
    for (let column = 0; column < wide; column++) {
      const columns = [2 * column, Math.min(2 * column + 1, width - 1)];
      for (let channel = 0; channel < 4; channel++) {
        let sum = 0;
        for (const line of rows) {
          for (const place of columns) {
            sum += value(4 * (line * width + place), channel);
          }
        }
        found[4 * (row * wide + column) + channel] = sum / 4;
      }
    }
  }
  return { width: wide, height: high, data: found };
}

/** Turn premultiplied colours into colours for every pixel, in place. */
function fill(picture) {
  const { data } = picture;
  const holes = data.some((value, index) => index % 4 === 3 && value === 0);
  const coarse = holes && halve(picture);
  for (let at = 0; at < data.length; at += 4) {
    for (let channel = 0; data[at + 3] && channel < 3; channel++) {
      data[at + channel] /= data[at + 3];
    }
  }
  if (holes) {
    fill(coarse);
    replace(picture, coarse, (a, b, c, d) => (9 * a + 3 * b + 3 * c + d) / 16);
  }
}

/**
 * Give the fully transparent pixels of a picture the colours of a copy of half its size.
 *
 * mix(a, b, c, d): interpolates between the nearest pixel, its neighbour in the row, its neighbour in
 * the column, and the diagonal one.
 */
function replace({ width, height, data }, half, mix) {
  const other = (place, length) => Math.min(Math.max((place >> 1) + (place % 2 ? 1 : -1), 0),
    length - 1);
  for (let row = 0; row < height; row++) {
    const lines = [row >> 1, other(row, half.height)].map((line) => line * half.width);
    for (let column = 0; column < width; column++) {
      const at = 4 * (row * width + column);
      if (data[at + 3] === 0) {
        const places = [column >> 1, other(column, half.width)];
        for (let channel = 0; channel < 3; channel++) {
          const sample = (line, place) => half.data[4 * (lines[line] + places[place]) + channel];
          data[at + channel] = mix(sample(0, 0), sample(0, 1), sample(1, 0), sample(1, 1));
        }
      }
    }
  }
}
