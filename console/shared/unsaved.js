/** What was entered and is not sent, or is shown this once: leaving it needs a question. */

/** @type {Set<HTMLElement>} forms, and dialogs with a secret */
const unsaved = new Set();

/** @param {HTMLElement} element */
export function markUnsaved(element) {
  unsaved.add(element);
}

/** @param {HTMLElement} element */
export function markSaved(element) {
  unsaved.delete(element);
}

/** After the question: it may be lost. */
export function forgetUnsaved() {
  unsaved.clear();
}

/**
 * Whether leaving would lose something.
 *
 * @param {Node} [within]
 */
export function hasUnsaved(within = document) {
  return [...unsaved].some((element) => element.isConnected && within.contains(element));
}

addEventListener("beforeunload", (event) => {
  if (hasUnsaved()) {
    event.preventDefault();
  }
});
