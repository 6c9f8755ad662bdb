// The preview of the current state. If a sharp preview takes long, a small one is shown first.

const SOON = 250; // milliseconds
const SMALLEST = 256; // pixels

export function createPreview(engine, state, viewer, messages, recipe) {
  const { previewSize } = engine.capabilities;
  let wanted = 0; // counts changes
  let running = false;
  let controller = null; // of a sharp preview that may be given up
  let failure = new Error("none yet"); // the last one
  let duration = 0; // of the last sharp one, in milliseconds

  /** Show a preview of this size unless the photograph was changed; return the time it took. */
  async function show(content, asked, size, signal) {
    const started = performance.now();
    const blob = await engine.preview(content, asked, { size, signal });
    const took = performance.now() - started;
    if (content === state.content) {
      await viewer.show(blob);
    }
    return took;
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
      // Not larger than the full picture, so that strokes have the same size.
      const { content } = state;
      const size = Math.min(previewSize,
        asked.contentSize ?? Math.min(content.width, content.height));
      if (duration > SOON && size > SMALLEST) {
        const fast = Math.round(size * Math.sqrt((0.6 * SOON) / duration));
        await show(content, asked, Math.max(SMALLEST, Math.min(fast, Math.round(size / 2))));
        if (version !== wanted) {
          continue;
        }
      }
      controller = new AbortController();
      const timer = setTimeout(() => viewer.busy("Painting …"), 2 * SOON);
      try {
        duration = await show(content, asked, size, controller.signal);
      } finally {
        clearTimeout(timer);
        controller = null;
      }
    }
  }

  return {
    /** Show a preview of the current state. */
    async refresh() {
      wanted += 1;
      if (!state.content) {
        return;
      }
      if (duration > SOON) {
        controller?.abort(); // a fast one is shown: else none would be while a slider moves
      }
      if (running) {
        return;
      }
      running = true;
      for (let again = true; again;) {
        again = false;
        try {
          await run();
          messages.clear(failure); // others' errors stay
        } catch (error) {
          again = error.name === "AbortError"; // a newer state
          if (!again) {
            failure = error;
            viewer.idle();
            messages.show(error);
          }
        }
      }
      running = false;
    },
  };
}
