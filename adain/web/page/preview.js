// The preview: always of the newest state. Where a sharp one takes long, a small one comes first.

const SOON = 250; // milliseconds
const SMALLEST = 256; // pixels

export function createPreview(engine, state, viewer, messages, recipe) {
  const { previewSize } = engine.capabilities;
  let wanted = 0; // counts changes
  let running = false;
  let controller = null; // of a sharp preview that may be given up
  let duration = 0; // of the last sharp one, in milliseconds

  async function fetchOne(asked, size, signal) {
    const started = performance.now();
    const blob = await engine.preview(state.content, asked, { size, signal });
    return { blob, took: performance.now() - started };
  }

  async function run() {
    for (let done = -1; done !== wanted;) {
      const version = wanted;
      const asked = await recipe();
      if (version !== wanted) {
        continue;
      }
      done = version;
      if (!asked.styles.length || asked.hint) {
        viewer.original();
        viewer.badge(asked.hint ?? "");
        continue;
      }
      if (duration > SOON) {
        const size = Math.round(previewSize * Math.sqrt((0.6 * SOON) / duration));
        const draft = await fetchOne(asked, Math.max(SMALLEST, Math.min(size, previewSize / 2)));
        await viewer.show(draft.blob);
        if (version !== wanted) {
          continue;
        }
      }
      controller = new AbortController();
      const timer = setTimeout(() => viewer.busy("Painting …"), 2 * SOON);
      try {
        const sharp = await fetchOne(asked, previewSize, controller.signal);
        duration = sharp.took;
        if (version === wanted) {
          await viewer.show(sharp.blob);
        }
      } finally {
        clearTimeout(timer);
        controller = null;
      }
    }
  }

  return {
    /** Show a preview of the state as it is now. */
    async refresh() {
      wanted += 1;
      if (!state.content) {
        return;
      }
      controller?.abort();
      if (running) {
        return;
      }
      running = true;
      for (let again = true; again;) {
        again = false;
        try {
          await run();
          messages.clear();
        } catch (error) {
          again = error.name === "AbortError"; // a newer state
          if (!again) {
            viewer.idle();
            messages.show(error);
          }
        }
      }
      running = false;
    },
  };
}
