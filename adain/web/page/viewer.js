// The large picture: the photograph, the stylized picture beside it, and one line of text.

import { element } from "./messages.js";

export function createViewer() {
  const after = element("after");
  const before = element("before");
  const split = element("split");
  const zoom = element("zoom");
  let isFinal = false; // a finished picture of the state as it is: no preview replaces it
  let shown = null; // address of a Blob

  split.addEventListener("input", () => {
    element("picture").style.setProperty("--split", `${split.value}%`);
    split.setAttribute("aria-valuetext", `${split.value} percent`);
  });

  function release() {
    if (shown) {
      URL.revokeObjectURL(shown);
      shown = null;
    }
  }

  /** Mark on the page what is shown: the photograph, a preview or the finished picture. */
  function shows(what) {
    element("picture").dataset.shows = what;
  }

  /** Show a line of text over the picture; kind: busy, note or done. */
  function badge(text, kind = "note") {
    element("badges").hidden = !text;
    element("badge").textContent = text;
    element("badge").dataset.kind = kind;
  }

  function sized(content) {
    element("picture").style.setProperty("--ratio", content.width / content.height);
  }

  addEventListener("resize", () => fit());
  new ResizeObserver(() => fit()).observe(element("frame"));

  /** Fit the picture into its frame, or show it at 100 % if zoomed. */
  function fit() {
    const picture = element("picture");
    const ratio = Number(picture.style.getPropertyValue("--ratio")) || 1;
    const { clientWidth: width, clientHeight: height } = element("frame");
    const fitting = Math.min(width, height * ratio);
    const whole = after.naturalWidth / devicePixelRatio;
    const offered = whole > fitting * 1.05;
    const zoomed = offered && zoom.getAttribute("aria-pressed") === "true";
    const wide = zoomed ? whole : fitting;
    zoom.hidden = !offered;
    element("frame").classList.toggle("zoomed", zoomed);
    picture.style.width = `${wide}px`;
    picture.style.height = `${wide / ratio}px`;
  }

  zoom.addEventListener("click", () => {
    const on = zoom.getAttribute("aria-pressed") !== "true";
    zoom.setAttribute("aria-pressed", on);
    fit();
    const frame = element("frame");
    frame.scrollTo((frame.scrollWidth - frame.clientWidth) / 2,
      (frame.scrollHeight - frame.clientHeight) / 2);
  });
  after.addEventListener("load", fit);

  return {
    /** Show a photograph that has no preview yet. */
    open(content) {
      release();
      before.src = content.picture;
      after.src = content.picture;
      shows("photograph");
      element("frame").hidden = false;
      sized(content);
      fit();
    },
    /** Show a preview: a Blob. */
    async show(blob) {
      const address = URL.createObjectURL(blob);
      const image = new Image();
      image.src = address;
      try {
        await image.decode();
      } catch {
        image.src = ""; // it is no picture
      }
      if (isFinal || !image.naturalWidth) {
        URL.revokeObjectURL(address);
        return;
      }
      release();
      shown = address;
      after.src = address;
      shows("preview");
      badge("");
    },
    /** Show a finished picture by its address. */
    async finished(address) {
      const image = new Image();
      image.src = address;
      await image.decode().catch(() => {});
      release();
      isFinal = true;
      after.src = address;
      shows("finished");
    },
    /** Show the photograph alone. */
    original() {
      release();
      after.src = before.src;
      shows("photograph");
    },
    /** The state was changed: the picture that is shown is outdated. */
    outdate() {
      isFinal = false;
    },
    badge,
    busy: (text) => badge(text, "busy"),
    idle: () => badge(""),
  };
}
