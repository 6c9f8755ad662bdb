// The engine that uses the API of `adain web` (docs/web.md).
//
// An engine computes the pictures of the page. Every engine is a module with createEngine():
//
//   const engine = await createEngine();
//   engine.capabilities       what the engine supports; the page hides other controls:
//     where         a phrase that completes the sentence "Pictures are computed ..."
//     mixtures      whether several styles can be mixed
//     regions       whether masks are supported
//     strokes       whether coarseSize is supported
//     keepColors    supported modes: coral, histogram, luminance; [] for none
//     refine        numbers of iterations to offer besides 0; [] for none
//     formats       of finished pictures: "jpg", "png"
//     read          suffixes of supported picture files, for the file dialog
//     previewSize   shorter side of a sharp preview, in pixels
//     maxPixels     of a finished picture
//   engine.styles()           -> Style[]: the paintings that the page offers
//   engine.samples()          -> Style[]: photographs to try it with; [] for none
//   engine.openContent(file, {signal})    -> Content; file: a File, or one of samples()
//   engine.encodeStyle(file, {signal})    -> Style; file: a File with a painting
//   engine.preview(content, recipe, {size, signal}) -> Blob
//     size: shorter side in pixels, at most previewSize; the photograph may be smaller
//   engine.full(content, recipe, {signal, onProgress}) -> Finished
//     onProgress({ahead})     number of pictures that are computed first
//     onProgress({share})     share of the work that is done, 0 to 1
//
//   Style     {id, title, picture}: picture is the address of a thumbnail
//   Content   {id, name, width, height, transparent, previewSize, picture}: picture is the address
//             of an upright copy at the size of previews; width and height: of the upright
//             photograph; transparent: whether any pixel is; previewSize: shorter side of its sharp
//             previews, smaller than the engine's for a panorama
//   Recipe    {styles: [{id, weight}], masks: Blob[] | null, alpha, coarseSize, keepColors,
//              refine, contentSize, format}
//             weight: 0 or more, not all 0; ignored if there are masks
//             masks: one for each style, with the content's proportions: white where the style
//             applies, black where the photograph stays; null: the styles are mixed everywhere
//             alpha: 0 to 1; coarseSize: pixels of the shorter side, or null; keepColors: a mode,
//             or null; refine: iterations; contentSize: shorter side of the result in pixels, or
//             null for the photograph's own size; format: "jpg" or "png". A preview ignores
//             refine, contentSize and format.
//   Finished  {url, name, width, height, bytes}: a file to download
//
// Every function returns a Promise. It is rejected with an EngineError, whose message is a sentence
// for the user, or with the AbortError of the signal.

export class EngineError extends Error {
  /** status: HTTP status, or 0 if there was no answer. */
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

export async function createEngine() {
  const about = await json("api");
  return new ServerEngine(about);
}

class ServerEngine {
  constructor(about) {
    this.capabilities = {
      where: "on this machine; nothing is uploaded anywhere else",
      mixtures: true,
      regions: true,
      strokes: true,
      keepColors: about.keep_colors,
      refine: [15, 40],
      formats: about.formats,
      read: about.read,
      previewSize: about.preview_size,
      maxPixels: about.max_pixels,
    };
    this.maxBytes = about.max_bytes;
    this.files = new Map(); // ids of pictures that were sent -> their files, to send them again
  }

  styles() {
    return json("api/styles");
  }

  samples() {
    return json("api/samples");
  }

  async openContent(file, { signal } = {}) {
    const { preview_size: previewSize, ...content } = file instanceof Blob
      ? await this.send(file, signal)
      : await json(`api/pictures/${encodeURIComponent(file.id)}`, { signal });
    return { ...content, previewSize };
  }

  async encodeStyle(file, { signal } = {}) {
    const { id, name, picture } = await this.send(file, signal);
    return { id, title: name.replace(/\.[^.]*$/, ""), picture };
  }

  async send(file, signal) {
    if (file.size > this.maxBytes) {
      throw new EngineError(`${file.name} has ${Math.round(file.size / 1e6)} MB; ` +
        `the limit is ${Math.round(this.maxBytes / 1e6)} MB.`, 413);
    }
    const address = `api/pictures?name=${encodeURIComponent(file.name ?? "picture")}`;
    const sent = await json(address, { method: "POST", body: file, signal });
    this.files.set(sent.id, file);
    return sent;
  }

  async preview(content, recipe, { size, signal } = {}) {
    const form = () => fields(content, { ...recipe, refine: 0, contentSize: null }, size);
    const answer = await this.stylize(form, {}, signal);
    return answer.blob();
  }

  async full(content, recipe, { signal, onProgress = () => {} } = {}) {
    const accept = { Accept: "text/event-stream" };
    const answer = await this.stylize(() => fields(content, recipe), accept, signal);
    for await (const { event, data } of events(answer.body)) {
      if (event === "done") {
        return data;
      }
      if (event === "error") {
        throw new EngineError(readable(data.error), data.status);
      }
      onProgress(data);
    }
    throw new EngineError(STOPPED);
  }

  /** Post a form; if the server has removed its pictures, upload them again first. */
  async stylize(form, headers, signal) {
    const post = () => request("api/stylize", { method: "POST", body: form(), headers, signal });
    try {
      return await post();
    } catch (error) {
      if (error.status !== 404) {
        throw error;
      }
      for (const file of this.files.values()) {
        await this.send(file, signal);
      }
      return post();
    }
  }
}

const STOPPED = "adain web does not answer: start it again with `adain web`, then go on here.";

function fields(content, recipe, preview) {
  const form = new FormData();
  form.set("content", content.id);
  recipe.styles.forEach((style) => form.append("style", style.id));
  if (recipe.masks) {
    recipe.masks.forEach((mask) => form.append("mask", mask, "mask.png"));
  } else if (recipe.styles.length > 1) {
    form.set("style_weights", recipe.styles.map((style) => style.weight).join(" "));
  }
  const rest = {
    alpha: recipe.alpha,
    coarse_size: recipe.coarseSize,
    keep_colors: recipe.keepColors,
    refine: recipe.refine,
    content_size: recipe.contentSize,
    format: recipe.format,
    preview,
  };
  for (const [name, value] of Object.entries(rest)) {
    if (value !== null && value !== undefined) {
      form.set(name, value);
    }
  }
  return form;
}

async function request(address, options) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : new EngineError(STOPPED);
  }
  if (!answer.ok) {
    const { error } = await answer.json().catch(() => ({ error: answer.statusText }));
    throw new EngineError(readable(error), answer.status);
  }
  return answer;
}

async function json(address, options) {
  return (await request(address, options)).json();
}

/** Remove the backquotes around names of parameters in messages of the server. */
function readable(message) {
  const text = message.replaceAll("`", "");
  return /^[a-z]+ /.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}

/** Yield the events of a stream: {event, data}. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    let chunk;
    try {
      chunk = await reader.read();
    } catch (error) {
      throw error.name === "AbortError" ? error : new EngineError(STOPPED);
    }
    if (chunk.done) {
      return;
    }
    text += chunk.value;
    const parts = text.split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const event = /^event: (.*)$/m.exec(part);
      const data = /^data: (.*)$/m.exec(part);
      if (event && data) {
        yield { event: event[1], data: JSON.parse(data[1]) };
      }
    }
  }
}
