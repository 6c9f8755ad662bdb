// Strength, stroke size and colours.

import { element } from "./messages.js";

// Shorter side, in pixels, at which a picture is stylized before it is enlarged. "medium" is the size
// of a preview: a large picture then looks like its preview.
const strokesFor = (previewSize) => [
  ["finest", null], ["fine", 1024], ["medium", previewSize], ["large", 448], ["broad", 320],
  ["broadest", 224],
];
const COLORS = {
  coral: "of the photograph: palette",
  histogram: "of the photograph: each channel",
  luminance: "of the photograph: every pixel",
};

export function createControls(engine, change) {
  const alpha = element("alpha");
  const strokes = element("strokes");
  const colors = element("colors");
  const can = engine.capabilities;
  const sizes = strokesFor(can.previewSize);

  document.querySelectorAll("[data-needs]").forEach((part) => {
    const what = can[part.dataset.needs];
    part.hidden = Array.isArray(what) ? !what.length : !what;
  });
  can.keepColors.forEach((mode) => colors.add(new Option(COLORS[mode] ?? mode, mode)));

  function describe() {
    element("alpha-text").textContent = `${alpha.value} %`;
    const [name] = sizes[strokes.value];
    element("strokes-text").textContent = name;
    strokes.setAttribute("aria-valuetext", name);
  }
  [alpha, strokes].forEach((input) => input.addEventListener("input", () => {
    describe();
    change();
  }));
  colors.addEventListener("change", () => change());
  describe();

  return {
    recipe: () => ({
      alpha: alpha.value / 100,
      coarseSize: can.strokes ? sizes[strokes.value][1] : null,
      keepColors: colors.value || null,
    }),
  };
}
