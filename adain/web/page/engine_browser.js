// The engine that computes in the browser itself, for a page without a server: `adain web --static`.
// engine_server.js describes the interface of an engine. Pictures do not leave the browser.

import { element } from "./messages.js";

const MAX_PIXELS = 50e6;
const PREVIEW_SIZE = 512; // pixels of the shorter side

export class EngineError extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

export async function createEngine() {
  await prepareOffline();
  const answer = await fetch("pictures.json");
  if (!answer.ok) {
    throw new EngineError("The page is not complete: pictures.json is missing.", answer.status);
  }
  const pictures = await answer.json();
  const engine = new BrowserEngine(pictures);
  await engine.call("start", [pictures.styles, MAX_PIXELS]);
  return engine;
}

/**
 * Install a service worker that caches the page for use without a network. It also makes the page
 * cross-origin isolated, so that WebAssembly can use threads; the first visit therefore loads the
 * page twice.
 */
async function prepareOffline() {
  if (!navigator.serviceWorker) {
    return; // http:// without encryption
  }
  if (!navigator.serviceWorker.controller) {
    element("where").textContent = "Loading the networks, once …";
  }
  try {
    const { installing } = await navigator.serviceWorker.register("sw.js");
    await Promise.race([navigator.serviceWorker.ready, failed(installing)]);
  } catch (error) {
    console.warn("The page works only online:", error);
    return;
  }
  if (!self.crossOriginIsolated && !sessionStorage.getItem("isolated")) {
    sessionStorage.setItem("isolated", "tried");
    location.reload();
    await new Promise(() => {}); // until it is
  }
}

/** Reject if the service worker cannot be installed, e.g. if the browser stores no files. */
function failed(worker) {
  return new Promise((_, reject) => {
    worker?.addEventListener("statechange", () => worker.state === "redundant"
      && reject(new Error("the browser does not keep its files")));
  });
}

class BrowserEngine {
  constructor({ styles, samples }) {
    this.pictures = { styles, samples };
    this.capabilities = {
      where: "in this browser; nothing is uploaded",
      mixtures: true,
      regions: true,
      strokes: true,
      keepColors: ["coral", "histogram", "luminance"],
      refine: [],
      formats: ["jpg", "png"],
      read: [".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".bmp"],
      previewSize: PREVIEW_SIZE,
      maxPixels: MAX_PIXELS,
    };
    this.calls = new Map();
    this.count = 0;
    this.worker = new Worker("worker.js", { type: "module" });
    this.worker.addEventListener("message", ({ data }) => this.answer(data));
    this.worker.addEventListener("error", (event) => {
      const error = new EngineError(`The computation stopped: ${event.message ?? "out of memory"}. `
        + "Load the page again.");
      this.calls.forEach(({ reject }) => reject(error));
      this.calls.clear();
    });
  }

  async styles() {
    return this.pictures.styles;
  }

  async samples() {
    return this.pictures.samples;
  }

  async openContent(file, { signal } = {}) {
    const [blob, name] = file instanceof Blob ? [file, file.name ?? "photograph"]
      : [await (await fetch(file.file)).blob(), file.file.split("/").pop()];
    const content = await this.call("openContent", [blob, name], { signal });
    return { ...content, previewSize: PREVIEW_SIZE,
      picture: URL.createObjectURL(content.picture) };
  }

  async encodeStyle(file, { signal } = {}) {
    const style = await this.call("encodeStyle", [file, file.name ?? "painting"], { signal });
    return { ...style, picture: URL.createObjectURL(style.picture) };
  }

  preview(content, recipe, { size, signal } = {}) {
    return this.call("preview", [content.id, recipe, size], { signal });
  }

  async full(content, recipe, { signal, onProgress = () => {} } = {}) {
    const { blob, ...rest } = await this.call("full", [content.id, recipe],
      { signal, onProgress });
    if (this.made) {
      URL.revokeObjectURL(this.made);
    }
    this.made = URL.createObjectURL(blob);
    return { ...rest, url: this.made };
  }

  /** Call a method of the worker; see worker.js. */
  call(name, parameters, { signal, onProgress } = {}) {
    signal?.throwIfAborted();
    const call = this.count++;
    return new Promise((resolve, reject) => {
      this.calls.set(call, { resolve, reject, onProgress });
      this.worker.postMessage({ call, name, parameters });
      signal?.addEventListener("abort", () => {
        this.worker.postMessage({ cancel: call });
        this.calls.delete(call);
        reject(signal.reason);
      }, { once: true });
    });
  }

  answer({ call, result, error, cancelled, progress }) {
    const waiting = this.calls.get(call);
    if (!waiting) {
      return; // was given up
    }
    if (progress) {
      waiting.onProgress?.(progress);
      return;
    }
    this.calls.delete(call);
    if (error) {
      waiting.reject(new EngineError(error.message, error.status));
    } else if (cancelled) {
      waiting.reject(new DOMException("cancelled", "AbortError"));
    } else {
      waiting.resolve(result);
    }
  }
}
