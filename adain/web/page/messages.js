// Errors in words, and the page's elements by their names.

/** Return an element of the page. */
export function element(id) {
  return document.getElementById(id);
}

/** Return what shows errors in one place, which screen readers read out. */
export function createMessages() {
  let shown = null;
  /** Show no error any more; only: if it is this one that is shown. */
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
