// The finished picture: its size, its format, the progress, and the download.

import { element } from "./messages.js";

const PRINTS = [["A5", 2480], ["A4", 3508], ["A3", 4961], ["A2", 7016]]; // at 300 dots per inch
const SCREENS = [["small", 1280], ["screen", 1920], ["large screen", 3840]];
const QUALITY = { 15: "fine: 15 refinements", 40: "finest: 40 refinements" };
const FORMATS = { jpg: "JPEG", png: "PNG" };
const LARGEST_SHOWN = 40e6; // pixels of a finished picture that the page shows, too

/** change: called when the settings of the finished picture change. */
export function createFinish(engine, state, viewer, messages, recipe, change) {
  const can = engine.capabilities;
  const size = element("size");
  const other = element("other");
  const quality = element("quality");
  const format = element("format");
  let controller = null;
  let version = 0; // counts changes, after which a finished picture is not shown any more
  can.refine.forEach((count) => quality.add(new Option(QUALITY[count] ?? `${count} refinements`,
    count)));
  can.formats.forEach((name) => format.add(new Option(FORMATS[name] ?? name, name)));
  size.add(new Option("as the photograph", "own"));
  size.addEventListener("change", () => {
    element("other-row").hidden = size.value !== "other";
  });
  [size, other].forEach((input) => input.addEventListener("change", () => change()));
  [quality, format].forEach((input) => input.addEventListener("change",
    () => change({ inPreview: false })));

  /** Return the sides of the result in pixels, as [width, height]. */
  function sides() {
    const { width, height } = state.content;
    const longer = Math.max(width, height);
    const wanted = size.value === "own" ? longer
      : Number(size.value === "other" ? other.value : size.value);
    return [width, height].map((side) => Math.max(1, Math.round(side * wanted / longer)));
  }

  function offer(content) {
    const before = size.value;
    const longer = Math.max(content.width, content.height);
    const short = Math.min(content.width, content.height) / longer;
    const option = ([name, pixels]) => new Option(
      `${wide(pixels, short)}, ${name}`, pixels);
    const wide = (pixels, share) => (content.width >= content.height
      ? `${pixels} × ${Math.round(pixels * share)}` : `${Math.round(pixels * share)} × ${pixels}`);
    const fits = ([, pixels]) => pixels !== longer && pixels * pixels * short <= can.maxPixels;
    const group = (label, sizes) => {
      const found = document.createElement("optgroup");
      found.label = label;
      found.append(...sizes.filter(fits).map(option));
      return found;
    };
    size.replaceChildren(
      new Option(`${content.width} × ${content.height}, as it is`, "own"),
      group("Screens", SCREENS), group("Prints, 300 dots per inch", PRINTS),
      new Option("other …", "other"));
    size.value = before;
    if (!size.value) {
      size.value = "own";
    }
  }

  function forget() {
    version += 1;
    element("done").hidden = true;
  }

  async function make() {
    messages.clear();
    forget();
    const asked = await recipe();
    if (!asked.styles.length) {
      messages.show({ message: `${asked.hint}.`, status: 0 });
      return;
    }
    const [width, height] = sides();
    if (!(Math.min(width, height) >= 1 && width * height <= can.maxPixels)) {
      messages.show({ message: `The picture may have ${Math.round(can.maxPixels / 1e6)} megapixels `
        + `at most; ${width} × ${height} are too many.`, status: 413 });
      return;
    }
    const begun = version;
    controller = new AbortController();
    working(true);
    const started = performance.now();
    try {
      const made = await engine.full(state.content, asked, { signal: controller.signal,
        onProgress: (news) => progress(news, started) });
      element("progress").value = 1;
      save(made);
      if (version === begun && made.width * made.height <= LARGEST_SHOWN) {
        await viewer.finished(made.url);
        viewer.badge(`Finished: ${made.width} × ${made.height}`, "done");
      }
    } catch (error) {
      if (error.name === "AbortError") {
        viewer.badge("Cancelled");
      }
      messages.show(error);
    } finally {
      controller = null;
      working(false);
    }
  }

  function working(on) {
    element("make").hidden = on;
    element("working").hidden = !on;
    if (on) {
      element("progress").removeAttribute("value");
      element("progress-text").textContent = "Starting …";
      element("cancel").focus({ preventScroll: true });
    } else {
      element("make").focus({ preventScroll: true });
    }
  }

  let said = ""; // screen readers hear every tenth, not every tile
  function progress({ ahead, share }, started) {
    const bar = element("progress");
    let text;
    if (ahead) {
      bar.removeAttribute("value");
      text = `Waiting for ${ahead} other picture${ahead > 1 ? "s" : ""} …`;
    } else {
      bar.value = share;
      const seconds = (performance.now() - started) / 1000;
      const left = share > 0.05 && seconds > 3 ? `, ${duration(seconds / share - seconds)} left`
        : "";
      text = share >= 1 ? "Writing the file …" : `${Math.floor(share * 10) * 10} %${left}`;
    }
    if (text.split(",")[0] !== said.split(",")[0] || seconds() - spoken > 5) {
      said = text;
      spoken = seconds();
      element("progress-text").textContent = text;
    }
  }
  let spoken = 0;
  const seconds = () => performance.now() / 1000;

  function save({ url, name, width, height, bytes }) {
    const link = element("save");
    link.href = url;
    link.download = name;
    element("done-text").textContent =
      `${name}: ${width} × ${height}, ${(bytes / 1e6).toFixed(1)} MB`;
    element("done").hidden = false;
    link.click();
  }

  element("panel").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!controller && state.content) {
      make();
    }
  });
  element("cancel").addEventListener("click", () => controller?.abort());

  return {
    forget,
    open(content) {
      offer(content);
      element("make").disabled = false;
      forget();
    },
    recipe() {
      const own = !state.content || size.value === "own";
      return {
        contentSize: own ? null : Math.min(...sides()),
        refine: can.refine.length ? Number(quality.value) : 0,
        format: format.value,
      };
    },
  };
}

function duration(seconds) {
  if (seconds < 60) {
    return `${Math.max(1, Math.round(seconds))} s`;
  }
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
