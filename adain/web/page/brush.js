// The brush for regions: one layer for each style; later strokes cover earlier ones.

import { element } from "./messages.js";

const LONGEST = 960; // pixels of a layer; masks are scaled to the picture
const PAUSE = 120; // milliseconds between previews while a stroke goes on

export function createBrush(change) {
  const surface = element("surface");
  const cursor = element("cursor");
  const size = element("brush-size");
  const eraser = element("eraser");
  const layers = new Map(); // id -> canvas
  let strokes = []; // {id or null for the eraser, color, width, points}
  let shape = [LONGEST, LONGEST];
  let active = null; // {id, color}
  let stroke = null; // that goes on
  let place = null; // of the brush, in shares of the picture
  let last = 0;

  function layer(id) {
    if (!layers.has(id)) {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = shape;
      layers.set(id, canvas);
      element("masks").append(canvas);
    }
    return layers.get(id);
  }

  function paint({ id, color, width, points }, from = 0) {
    if (id !== null) {
      layer(id);
    }
    for (const [other, canvas] of layers) {
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.globalCompositeOperation = other === id ? "source-over" : "destination-out";
      context.strokeStyle = color;
      context.lineWidth = width * Math.max(...shape);
      context.lineCap = context.lineJoin = "round";
      context.beginPath();
      points.slice(Math.max(0, from - 1)).forEach(([x, y], index) => {
        const at = [x * shape[0], y * shape[1]];
        if (index === 0) {
          context.moveTo(...at);
        }
        context.lineTo(...at);
      });
      context.stroke();
    }
  }

  function redraw() {
    layers.forEach((canvas) => canvas.getContext("2d").clearRect(0, 0, ...shape));
    strokes.forEach((each) => paint(each));
    tell();
  }

  function tell() {
    element("undo").disabled = element("clear").disabled = !strokes.length;
    change();
  }

  /** The width of the brush, divided by the longer side of the picture. */
  const width = () => size.value / 1000;

  function begin(point) {
    stroke = { id: eraser.checked ? null : active.id, color: active.color, width: width(),
      points: [point] };
    strokes.push(stroke);
    paint(stroke);
    element("masks").classList.add("painting");
  }

  function extend(point) {
    stroke.points.push(point);
    paint(stroke, stroke.points.length - 1);
    if (performance.now() - last > PAUSE) {
      last = performance.now();
      tell();
    }
  }

  function end() {
    if (stroke) {
      stroke = null;
      element("masks").classList.remove("painting");
      tell();
    }
  }

  function pointOf(event) {
    const box = surface.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  function moveCursor(point) {
    place = point.map((share) => Math.min(1, Math.max(0, share)));
    const box = surface.getBoundingClientRect();
    const wide = width() * Math.max(box.width, box.height);
    cursor.hidden = false;
    cursor.style.width = cursor.style.height = `${wide}px`;
    cursor.style.left = `${place[0] * box.width}px`;
    cursor.style.top = `${place[1] * box.height}px`;
  }

  surface.addEventListener("pointerdown", (event) => {
    if (event.button === 0 && active) {
      surface.setPointerCapture(event.pointerId);
      moveCursor(pointOf(event));
      begin(pointOf(event));
    }
  });
  surface.addEventListener("pointermove", (event) => {
    moveCursor(pointOf(event));
    if (stroke) {
      (event.getCoalescedEvents?.() ?? [event]).forEach((each) => extend(pointOf(each)));
    }
  });
  ["pointerup", "pointercancel"].forEach((name) => surface.addEventListener(name, end));
  surface.addEventListener("pointerleave", () => {
    cursor.hidden = true;
  });

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  surface.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    place ??= [0.5, 0.5];
    if (step) {
      const far = (event.shiftKey ? 0.25 : 1) * width() / 2;
      moveCursor([place[0] + step[0] * far, place[1] + step[1] * far * (shape[0] / shape[1])]);
      if (stroke) {
        extend(place);
      }
    } else if (event.key === " " && active) {
      if (!event.repeat) {
        moveCursor(place);
        begin(place);
      }
    } else if (event.key === "[" || event.key === "]") {
      size.value = Number(size.value) * (event.key === "]" ? 1.25 : 0.8);
      moveCursor(place);
    } else {
      return;
    }
    event.preventDefault();
  });
  surface.addEventListener("keyup", (event) => event.key === " " && end());
  surface.addEventListener("blur", end);

  function undo() {
    strokes.pop();
    redraw();
  }
  element("undo").addEventListener("click", undo);
  addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input[type=number]");
    if (event.key === "z" && (event.ctrlKey || event.metaKey) && strokes.length && !typing) {
      event.preventDefault();
      undo();
    }
  });
  element("clear").addEventListener("click", () => {
    strokes = [];
    redraw();
  });

  /** Return a PNG of layers, white on black, or black on white. */
  function picture(ids, inverted) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = shape;
    const context = canvas.getContext("2d");
    ids.forEach((id) => context.drawImage(layer(id), 0, 0));
    context.globalCompositeOperation = "source-in";
    context.fillStyle = inverted ? "#000" : "#fff";
    context.fillRect(0, 0, ...shape);
    context.globalCompositeOperation = "destination-over";
    context.fillStyle = inverted ? "#fff" : "#000";
    context.fillRect(0, 0, ...shape);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  return {
    /** Remove all strokes, for a new photograph. */
    open({ width: wide, height: high }) {
      const scale = Math.min(1, LONGEST / Math.max(wide, high));
      shape = [wide, high].map((side) => Math.max(1, Math.round(side * scale)));
      layers.forEach((canvas) => canvas.remove());
      layers.clear();
      strokes = [];
      element("undo").disabled = element("clear").disabled = true;
    },
    /** Let the user paint the region of a style, or turn the brush off. */
    show(on, style) {
      active = style ?? null;
      surface.hidden = element("tools").hidden = element("masks").hidden = !on;
      element("picture").classList.toggle("paints", on);
      cursor.hidden = true;
      cursor.style.setProperty("--region", active?.color ?? "");
    },
    /** Remove the region of a style. */
    remove(id) {
      strokes = strokes.filter((each) => each.id !== id);
      layers.get(id)?.remove();
      layers.delete(id);
      layers.forEach((canvas) => canvas.getContext("2d").clearRect(0, 0, ...shape));
      strokes.forEach((each) => paint(each));
    },
    /** Return whether any pixel of a style's region is visible. */
    painted(id) {
      if (!layers.has(id)) {
        return false;
      }
      const { data } = layers.get(id).getContext("2d").getImageData(0, 0, ...shape);
      return data.some((value, index) => index % 4 === 3 && value > 127);
    },
    mask: (id) => picture([id], false),
    rest: (ids) => picture(ids, true),
  };
}
