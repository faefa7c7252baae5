/** Keeps the focus when what had it is drawn anew: on what has the same name, or on the heading above. */

const CONTROLS = "a[href], button, input, select, textarea, summary";

/** @typedef {{element: HTMLElement, name: string, around: Element[]}} FocusMark */

/** @returns {FocusMark | null} where the focus is; null if it is nowhere */
export function focusMark() {
  const element = document.activeElement;
  if (!(element instanceof HTMLElement) || element === document.body) {
    return null;
  }
  /** @type {Element[]} */
  const around = [];
  for (let parent = element.parentElement; parent; parent = parent.parentElement) {
    around.push(parent);
  }
  return { element, name: nameOf(element), around };
}

/** @param {FocusMark | null} mark */
export function refocus(mark) {
  if (mark === null) {
    return;
  }
  if (mark.element.isConnected) {
    mark.element.focus({ preventScroll: true });
    return;
  }
  const place = mark.around.find((element) => element.isConnected);
  const same = [...(place?.querySelectorAll(CONTROLS) ?? [])].find((element) => nameOf(element) === mark.name);
  if (same instanceof HTMLElement) {
    same.focus({ preventScroll: true });
    return;
  }
  const heading = place?.closest(".card, .page, main")?.querySelector("h2, h1");
  if (heading instanceof HTMLElement) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
}

/** @param {Element} element */
function nameOf(element) {
  return element.getAttribute("aria-label") ?? element.textContent?.trim() ?? "";
}
