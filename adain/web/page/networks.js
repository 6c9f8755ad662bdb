// The networks in the browser: exported graphs and onnxruntime-web.

/** Load the networks. about: models/networks.json; threads: number of WebAssembly threads. */
export async function loadNetworks(base, about) {
  // Not a software adapter, which is ten times slower than WebAssembly.
  const gpu = await navigator.gpu?.requestAdapter().catch(() => null);
  if (gpu && !gpu.info?.isFallbackAdapter && gpu.info?.architecture !== "swiftshader") {
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
  // Threads need shared memory, which browsers allow only on cross-origin isolated pages.
  ort.env.wasm.numThreads = self.crossOriginIsolated
    ? Math.min(navigator.hardwareConcurrency || 1, 8) : 1;
  const options = { executionProviders: [provider], graphOptimizationLevel: "all" };
  const open = (name) => ort.InferenceSession.create(new URL(`models/${name}`, base).href, options);
  return new Networks(ort, about, provider, {
    features: await open("tile-features.onnx"),
    statistics: await open("tile-statistics.onnx"),
    regions: await open("tile-regions.onnx"),
  });
}

class Networks {
  constructor(ort, about, provider, sessions) {
    Object.assign(this, { provider, sessions, channels: about.channels, radius: about.radius });
    this.tensor = (data, ...dims) => new ort.Tensor("float32", data, dims);
    this.last = Promise.resolve(); // sessions compute one after the other
  }

  /** Return the features of a window {data, rows, columns}, as tensors for the next two methods. */
  async features({ data, rows, columns }) {
    const found = await this.run("features", { tile: this.tensor(data, 1, rows, columns, 3) });
    return { rows, columns, levels: found };
  }

  /** Return weighted mean and variance of features. */
  async measure({ levels, rows, columns }, weights) {
    const found = await this.run("statistics",
      { ...levels, weights: this.tensor(weights, 1, rows, columns) });
    return { mean: found.mean.data, variance: found.variance.data };
  }

  /** Return the picture that features decode to, about 0 to 1; shares, scales, shifts: by region. */
  async paint({ levels, rows, columns }, shares, scales, shifts) {
    const regions = scales.length / this.channels;
    const { stylized } = await this.run("regions", {
      ...levels,
      shares: this.tensor(shares, regions, rows, columns),
      scales: this.tensor(scales, regions, this.channels),
      shifts: this.tensor(shifts, regions, this.channels),
    });
    return stylized.data;
  }

  /** Run one of the sessions; return its output tensors by name. */
  run(name, inputs) {
    const made = this.last.then(() => this.sessions[name].run(inputs));
    this.last = made.catch(() => {});
    return made;
  }

  /** Return whether the device computes the same as Python did: {size, tile, stylized}. */
  async computes({ size, tile, scale, shift, stylized }) {
    const window = { data: Float32Array.from(tile), rows: size, columns: size };
    const made = await this.paint(await this.features(window), new Float32Array(size * size).fill(1),
      new Float32Array(this.channels).fill(scale), new Float32Array(this.channels).fill(shift));
    return made.every((value, index) => Math.abs(value - stylized[index]) < 0.01);
  }
}
