// Keep the photograph's colours: adain/transfer/color.py in the browser, after Gatys et al. 2016.
// All pictures are ImageData.

const LUMINANCE = [0.299, 0.587, 0.114]; // Y of YIQ
const NOISE_VARIANCE = 1; // of 255, squared: directions that vary less are not amplified

/** Return the style to encode for a content. mode: coral, histogram or luminance. */
export function keepColors(style, content, mode) {
  if (mode === "histogram") {
    return matchHistograms(style, content);
  }
  const [own, wanted] = [moments(style), moments(content)];
  if (mode === "coral") {
    return transform(style, ...towards(product(power(wanted.covariance, 0.5, 0),
      power(own.covariance, -0.5, NOISE_VARIANCE)), own.mean, wanted.mean));
  }
  const variance = ({ covariance }) => dot(LUMINANCE, covariance.map((row) => dot(row, LUMINANCE)));
  const scale = Math.sqrt(Math.max(variance(wanted), 0) / Math.max(variance(own), NOISE_VARIANCE));
  const row = LUMINANCE.map((share) => scale * share);
  const grey = dot(LUMINANCE, wanted.mean);
  return transform(style, ...towards([row, row, row], own.mean, [grey, grey, grey]));
}

/** Return the stylized picture with the content's colours for "luminance", else unchanged. */
export function restoreColors(stylized, content, mode) {
  if (mode !== "luminance") {
    return stylized;
  }
  const grey = (data, at) => Math.round(LUMINANCE[0] * data[at] + LUMINANCE[1] * data[at + 1]
    + LUMINANCE[2] * data[at + 2]);
  const { data } = stylized;
  for (let at = 0; at < data.length; at += 4) {
    const change = grey(data, at) - grey(content.data, at);
    for (let channel = 0; channel < 3; channel++) {
      data[at + channel] = content.data[at + channel] + change; // which is clipped
    }
  }
  return stylized;
}

const dot = (first, second) => first.reduce((sum, value, index) => sum + value * second[index], 0);
const product = (first, second) => first.map((row) => second[0].map(
  (_, column) => dot(row, second.map((line) => line[column]))));

/** Return matrix and offset of the affine map that turns one mean into another. */
function towards(matrix, from, to) {
  return [matrix, to.map((value, index) => value - dot(matrix[index], from))];
}

/** Return mean and covariance of the colours. */
function moments({ data }) {
  const mean = [0, 0, 0];
  const squares = [[0, 0, 0], [0, 0, 0], [0, 0, 0]];
  for (let at = 0; at < data.length; at += 4) {
    for (let row = 0; row < 3; row++) {
      mean[row] += data[at + row];
      for (let column = 0; column <= row; column++) {
        squares[row][column] += data[at + row] * data[at + column];
      }
    }
  }
  const count = data.length / 4;
  const average = mean.map((sum) => sum / count);
  return { mean: average, covariance: squares.map((line, row) => line.map((_, column) => (
    squares[Math.max(row, column)][Math.min(row, column)] / count
      - average[row] * average[column]))) };
}

/** Return a power of a symmetric 3 x 3 matrix, with eigenvalues of at least `least` (Jacobi). */
function power(matrix, exponent, least) {
  let values = matrix;
  let vectors = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  for (let sweep = 0; sweep < 20; sweep++) {
    for (const [row, column] of [[0, 1], [0, 2], [1, 2]]) {
      const angle = 0.5 * Math.atan2(2 * values[row][column],
        values[column][column] - values[row][row]);
      const turn = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
      turn[row][row] = turn[column][column] = Math.cos(angle);
      turn[row][column] = Math.sin(angle);
      turn[column][row] = -Math.sin(angle);
      values = product(product(transpose(turn), values), turn);
      vectors = product(vectors, turn);
    }
  }
  const powers = values.map((line, index) => Math.max(line[index], least) ** exponent);
  return product(vectors.map((line) => line.map((value, index) => value * powers[index])),
    transpose(vectors));
}

const transpose = (matrix) => matrix[0].map((_, column) => matrix.map((row) => row[column]));

/** Return matrix * colour + offset for each pixel. */
function transform({ width, height, data }, matrix, offset) {
  const result = new ImageData(width, height);
  for (let at = 0; at < data.length; at += 4) {
    for (let row = 0; row < 3; row++) {
      result.data[at + row] = matrix[row][0] * data[at] + matrix[row][1] * data[at + 1]
        + matrix[row][2] * data[at + 2] + offset[row]; // which is rounded and clipped
    }
    result.data[at + 3] = 255;
  }
  return result;
}

function matchHistograms({ width, height, data }, content) {
  const result = new ImageData(new Uint8ClampedArray(data), width, height);
  for (let channel = 0; channel < 3; channel++) {
    const [counts, wanted] = [data, content.data].map((values) => {
      const found = new Float64Array(256);
      for (let at = channel; at < values.length; at += 4) {
        found[values[at]] += 1;
      }
      return found;
    });
    const steps = cumulative(wanted);
    const reached = cumulative(counts);
    // A level is mapped to the one where the content's cumulative distribution reaches the middle of
    // the step that the style's distribution makes there.
    const levels = reached.map((sum, level) => {
      const middle = (sum - counts[level] / 2) / reached[255];
      const found = steps.findIndex((share) => share / steps[255] >= middle);
      return found < 0 ? 255 : found;
    });
    for (let at = channel; at < data.length; at += 4) {
      result.data[at] = levels[data[at]];
    }
  }
  return result;
}

function cumulative(counts) {
  let sum = 0;
  return Float64Array.from(counts, (count) => (sum += count));
}
