// Show errors; find elements of the page by id.

/** Return the element of the page with an id. */
export function element(id) {
  return document.getElementById(id);
}

/** Return an object that shows errors in one place, which screen readers announce. */
export function createMessages() {
  let shown = null;
  /** Hide the error; only: do so only if this error is shown. */
  const clear = (only = shown) => {
    if (only === shown) {
      shown = null;
      element("message").hidden = true;
      element("message-text").textContent = "";
    }
  };
  element("message-close").addEventListener("click", () => clear());
  return {
    clear,
    show(error) {
      if (error.name === "AbortError") {
        return;
      }
      if (error.status === undefined) {
        console.error(error); // none of an engine's: a mistake of this page
      }
      shown = error;
      element("message").hidden = false;
      element("message-text").textContent = error.message;
    },
  };
}
