// The networks in the browser: two exported graphs and onnxruntime-web.

/** Load the networks. about: of models/networks.json; threads: of WebAssembly. */
export async function loadNetworks(base, about) {
  const gpu = await navigator.gpu?.requestAdapter().catch(() => null);
  if (gpu) {
    try {
      const networks = await create(base, about, "ort.webgpu.min.mjs", "webgpu");
      if (await networks.computes(about.check)) {
        return networks;
      }
    } catch (error) {
      console.warn("WebGPU is not used:", error);
    }
  }
  return create(base, about, "ort.wasm.min.mjs", "wasm");
}

async function create(base, about, module, provider) {
  const ort = await import(new URL(`ort/${module}`, base));
  ort.env.wasm.wasmPaths = new URL("ort/", base).href;
  // Threads need memory that they share, which browsers give to isolated pages only.
  ort.env.wasm.numThreads = self.crossOriginIsolated
    ? Math.min(navigator.hardwareConcurrency || 1, 8) : 1;
  const options = { executionProviders: [provider], graphOptimizationLevel: "all" };
  const open = (name) => ort.InferenceSession.create(new URL(`models/${name}`, base).href, options);
  return new Networks(ort, about, provider, await open("tile-statistics.onnx"),
    await open("tile-regions.onnx"));
}

class Networks {
  constructor(ort, about, provider, statistics, regions) {
    Object.assign(this, { provider, channels: about.channels, radius: about.radius });
    this.tensor = (data, ...dims) => new ort.Tensor("float32", data, dims);
    this.sessions = { statistics, regions };
    this.last = Promise.resolve(); // sessions compute one after the other
  }

  /** Return weighted mean and variance of the features of a window {data, rows, columns}. */
  async measure({ data, rows, columns }, weights) {
    const { mean, variance } = await this.run("statistics", {
      tile: this.tensor(data, 1, rows, columns, 3),
      weights: this.tensor(weights, 1, rows, columns),
    });
    return { mean, variance };
  }

  /** Return the window's picture, about 0 to 1; shares, scales and shifts: one after the other. */
  async paint({ data, rows, columns }, shares, scales, shifts) {
    const regions = scales.length / this.channels;
    const { stylized } = await this.run("regions", {
      tile: this.tensor(data, 1, rows, columns, 3),
      shares: this.tensor(shares, regions, rows, columns),
      scales: this.tensor(scales, regions, this.channels),
      shifts: this.tensor(shifts, regions, this.channels),
    });
    return stylized;
  }

  /** Compute with one of the sessions; return copies of its outputs, by name. */
  run(name, inputs) {
    const made = this.last.then(async () => {
      const outputs = await this.sessions[name].run(inputs);
      const found = {};
      for (const [output, tensor] of Object.entries(outputs)) {
        found[output] = await tensor.getData(true);
      }
      return found;
    });
    this.last = made.catch(() => {});
    return made;
  }

  /** Tell whether the device computes what was computed in Python: {size, picture, stylized}. */
  async computes({ size, tile, scale, shift, stylized }) {
    const window = { data: Float32Array.from(tile), rows: size, columns: size };
    const made = await this.paint(window, new Float32Array(size * size).fill(1),
      new Float32Array(this.channels).fill(scale), new Float32Array(this.channels).fill(shift));
    return made.every((value, index) => Math.abs(value - stylized[index]) < 0.01);
  }
}
