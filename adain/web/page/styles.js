// The choice of paintings: one, a mixture, or one for each region.

import { createBrush } from "./brush.js";
import { element } from "./messages.js";

const COLORS = ["#ff5a36", "#2f8cff", "#22b573", "#f2b705", "#b45cff", "#00b8c4"]; // of regions
const PHOTOGRAPH = "photograph";

export function createStyles(engine, viewer, messages, change) {
  const grid = element("style-grid");
  const known = new Map(); // id -> Style
  let chosen = []; // {id, weight, color}
  let active = null; // id of the style whose region is painted
  let rest = PHOTOGRAPH; // what the parts without paint get: it, or a style's id
  const brush = createBrush(change);

  const mode = () => document.querySelector("[name=mode]:checked").value;
  document.querySelectorAll("[name=mode]").forEach((input) => {
    input.addEventListener("change", () => {
      if (mode() === "one") {
        chosen = chosen.slice(0, 1);
      }
      update();
    });
  });

  function toggle(id) {
    const found = chosen.findIndex((each) => each.id === id);
    if (mode() === "one") {
      chosen = [entry(id)];
    } else if (found < 0 && chosen.length < COLORS.length) {
      chosen.push(entry(id));
      active = id;
    } else if (found < 0) {
      messages.show({ message: `At most ${COLORS.length} paintings at once.`, status: 0 });
      return;
    } else if (mode() === "regions" && active !== id) {
      active = id; // the first click takes its brush, the second one its region away
    } else if (chosen.length > 1) {
      brush.remove(id);
      chosen.splice(found, 1);
    }
    update();
  }

  function entry(id) {
    const used = chosen.map((each) => each.color);
    return { id, weight: 50, color: COLORS.find((color) => !used.includes(color)) };
  }

  /** Show the choice on the page, and update the preview. */
  function update() {
    if (!chosen.some((each) => each.id === active)) {
      active = chosen[0]?.id ?? null;
    }
    if (rest !== PHOTOGRAPH && !chosen.some((each) => each.id === rest)) {
      rest = PHOTOGRAPH;
    }
    grid.querySelectorAll("[data-style]").forEach((button) => {
      const found = chosen.find((each) => each.id === button.dataset.style);
      button.setAttribute("aria-pressed", Boolean(found));
      button.style.setProperty("--region", mode() === "regions" && found ? found.color : "");
    });
    const regions = mode() === "regions";
    brush.show(regions, chosen.find((each) => each.id === active));
    showChosen();
    change();
  }

  function showChosen() {
    const list = element("chosen");
    list.hidden = mode() === "one" || (mode() === "mix" && chosen.length < 2);
    list.replaceChildren(...(mode() === "mix" ? chosen.map(mixed)
      : mode() === "regions" ? [...chosen.map(region), restChoice()] : []));
  }

  function mixed(each) {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"),
      { type: "range", min: 0, max: 100, value: each.weight });
    label.className = "chosen-row";
    input.addEventListener("input", () => {
      each.weight = Number(input.value);
      change();
    });
    label.append(known.get(each.id).title, input);
    return label;
  }

  function region(each) {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"),
      { type: "radio", name: "active", checked: each.id === active });
    const swatch = document.createElement("span");
    label.className = "chosen-row region";
    swatch.className = "swatch";
    swatch.style.background = each.color;
    input.addEventListener("change", () => {
      active = each.id;
      brush.show(true, each);
    });
    label.append(input, swatch, known.get(each.id).title);
    return label;
  }

  function restChoice() {
    const label = document.createElement("label");
    const select = document.createElement("select");
    label.className = "chosen-row";
    select.add(new Option("stay photograph", PHOTOGRAPH));
    chosen.forEach(({ id }) => select.add(new Option(`get ${known.get(id).title}`, id)));
    select.value = rest;
    select.addEventListener("change", () => {
      rest = select.value;
      change();
    });
    label.append("Other parts", select);
    return label;
  }

  function addTile(style) {
    known.set(style.id, style);
    const button = document.createElement("button");
    const image = document.createElement("img");
    button.type = "button";
    button.className = "tile";
    button.dataset.style = style.id;
    button.title = style.title;
    button.setAttribute("aria-pressed", "false");
    image.src = style.picture;
    image.alt = style.title;
    image.loading = "lazy";
    button.append(image);
    button.addEventListener("click", () => {
      messages.clear();
      toggle(style.id);
    });
    grid.insertBefore(button, element("add-style"));
  }

  /** Add paintings of the user, and choose the last of them. */
  async function add(files) {
    messages.clear();
    for (const file of files) {
      try {
        viewer.busy(`Looking at ${file.name} …`);
        const style = await engine.encodeStyle(file);
        if (!known.has(style.id)) {
          addTile(style);
        }
        if (!chosen.some((each) => each.id === style.id)) {
          toggle(style.id);
        }
        grid.querySelector(`[data-style="${CSS.escape(style.id)}"]`).scrollIntoView(
          { block: "nearest", inline: "nearest" });
        viewer.idle();
      } catch (error) {
        viewer.idle();
        messages.show(error);
      }
    }
  }

  async function load() {
    const more = document.createElement("button");
    more.type = "button";
    more.id = "add-style";
    more.className = "tile add";
    more.title = "Add your own painting";
    more.setAttribute("aria-label", "Add your own painting");
    more.append(Object.assign(document.createElement("span"),
      { textContent: "+", ariaHidden: "true" }));
    more.addEventListener("click", () => element("style-file").click());
    grid.append(more);
    const styles = await engine.styles();
    styles.forEach(addTile);
    if (styles.length) {
      chosen = [entry((styles.find(({ id }) => id === "flow_field") ?? styles[0]).id)];
    }
    update();
  }

  /** Return the styles of a recipe; hint: what the user must still do. */
  async function recipeOfStyles() {
    if (!chosen.length) {
      return { styles: [], masks: null, hint: "Add a painting" };
    }
    if (mode() === "mix" && chosen.every(({ weight }) => weight === 0)) {
      return { styles: [], masks: null, hint: "Every share of the mixture is 0" };
    }
    if (mode() !== "regions") {
      return { styles: chosen.map(({ id, weight }) => ({ id, weight })), masks: null };
    }
    const others = chosen.filter(({ id }) => id !== rest && brush.painted(id));
    if (rest === PHOTOGRAPH) {
      return others.length
        ? { styles: others.map(({ id }) => ({ id, weight: 1 })),
            masks: await Promise.all(others.map(({ id }) => brush.mask(id))) }
        : { styles: [], masks: null, hint: "Paint on the picture where the style goes" };
    }
    const base = chosen.find(({ id }) => id === rest);
    if (!others.length) {
      return { styles: [{ id: base.id, weight: 1 }], masks: null };
    }
    return {
      styles: [base, ...others].map(({ id }) => ({ id, weight: 1 })),
      masks: [await brush.rest(others.map(({ id }) => id)),
        ...await Promise.all(others.map(({ id }) => brush.mask(id)))],
    };
  }

  return { add, load, open: brush.open, recipe: recipeOfStyles };
}
