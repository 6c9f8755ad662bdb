// The page: actions of the user change the state, and the preview and the controls follow it.

import { createCamera } from "./camera.js";
import { createControls } from "./controls.js";
import { createEngine } from "./engine.js";
import { createFinish } from "./finish.js";
import { createMessages, element } from "./messages.js";
import { createPreview } from "./preview.js";
import { createStyles } from "./styles.js";
import { createViewer } from "./viewer.js";

const messages = createMessages();

async function start() {
  const engine = await createEngine();
  const state = { content: null };
  const viewer = createViewer();
  const styles = createStyles(engine, viewer, messages, change);
  const controls = createControls(engine, change);
  const finish = createFinish(engine, state, viewer, messages, recipe, change);
  const preview = createPreview(engine, state, viewer, messages, recipe);

  async function recipe() {
    return { ...controls.recipe(), ...finish.recipe(), ...await styles.recipe() };
  }

  /** Describe what the full picture will have that the preview does not show. */
  function hint() {
    const { coarseSize } = controls.recipe();
    const { contentSize, refine, format } = finish.recipe();
    const { width, height, transparent, previewSize } = state.content
      ?? { width: 0, height: 0, previewSize: 0 };
    const fine = (coarseSize ?? Infinity) > previewSize
      && (contentSize ?? Math.min(width, height)) > previewSize;
    const more = [fine && "finer strokes", refine > 0 && "refinements"].filter(Boolean);
    const found = [
      more.length && `The full picture has ${more.join(" and ")}, which the preview does not show.`,
      transparent && (format === "png"
        ? "Transparent parts, which the preview fills, stay transparent."
        : "JPEG shows transparent parts on white; PNG keeps them transparent."),
    ].filter(Boolean);
    element("hint").hidden = !found.length;
    element("hint").textContent = found.join(" ");
  }

  /** The controls were changed: the picture that is shown is outdated. */
  function change({ inPreview = true } = {}) {
    finish.forget();
    hint();
    if (inPreview) {
      viewer.outdate();
      preview.refresh();
    }
  }

  async function open(file) {
    messages.clear();
    viewer.busy("Opening the photograph …");
    try {
      state.content = await engine.openContent(file);
    } catch (error) {
      viewer.idle();
      messages.show(error);
      return;
    }
    element("start").hidden = true;
    showPhoto(state.content);
    viewer.open(state.content);
    styles.open(state.content);
    finish.open(state.content);
    change();
  }

  function showPhoto({ name, width, height, picture }) {
    element("photo").hidden = false;
    element("photo-thumb").src = picture;
    element("photo-name").textContent = name;
    element("photo-size").textContent = `${width} × ${height}`;
  }

  const accept = engine.capabilities.read.join(",");
  chooseFiles("photo-file", `image/*,${accept}`, "[data-open-photo]", ([file]) => open(file));
  element("style-file").accept = `image/*,${accept}`;
  element("style-file").addEventListener("change", ({ target }) => {
    styles.add([...target.files]);
    target.value = "";
  });
  dropFiles(open, styles.add);
  createCamera(open);
  element("where").textContent = `Pictures are computed ${engine.capabilities.where}.`;
  await Promise.all([styles.load(), showSamples(engine, open)]);
  document.documentElement.dataset.ready = "";
}

function chooseFiles(id, accept, buttons, use) {
  const input = element(id);
  input.accept = accept;
  input.addEventListener("change", () => {
    if (input.files.length) {
      use([...input.files]);
    }
    input.value = "";
  });
  document.querySelectorAll(buttons).forEach((button) => {
    button.addEventListener("click", () => input.click());
  });
}

async function showSamples(engine, open) {
  const samples = (await engine.samples()).slice(0, 4);
  const row = document.querySelector(".samples-row");
  samples.forEach((sample) => {
    const button = document.createElement("button");
    const image = document.createElement("img");
    button.type = "button";
    button.className = "sample";
    button.title = image.alt = sample.title;
    image.src = sample.picture;
    button.append(image);
    button.addEventListener("click", () => open(sample));
    row.append(button);
  });
  element("samples").hidden = !samples.length;
}

/** Photographs can be dropped anywhere, paintings onto the styles; pictures can also be pasted. */
function dropFiles(open, addStyles) {
  const target = element("drop");
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  let depth = 0;
  const end = () => {
    depth = 0;
    target.hidden = true;
    element("styles").classList.remove("dropping");
  };
  addEventListener("dragenter", (event) => {
    if (holdsFiles(event)) {
      depth += 1;
      target.hidden = false;
      element("styles").classList.add("dropping");
    }
  });
  addEventListener("dragleave", () => {
    depth -= 1;
    if (depth <= 0) {
      end();
    }
  });
  addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    end();
    const files = [...(event.dataTransfer?.files ?? [])];
    if (!files.length) {
      return;
    }
    event.preventDefault();
    if (event.target.closest?.("#styles")) {
      addStyles(files);
    } else {
      open(files[0]);
    }
  });
  addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (file) {
      open(file);
    }
  });
}

start().catch((error) => messages.show(error));
