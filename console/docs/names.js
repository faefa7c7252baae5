/** Names for Swagger UI's controls that have none, for people who listen. */

/** What a control without a label is about, by what stands around it. */
const AROUND = [
  [".examples-select", "Example"],
  [".content-type-wrapper, .content-type, .response-control-media-type", "Media type"],
  [".opblock-section-request-body", "Request body"],
];

/** @param {HTMLElement} root */
export function nameControls(root) {
  const look = () => {
    for (const control of root.querySelectorAll("input, select, textarea")) {
      if (!control.hasAttribute("aria-label") && !(/** @type {HTMLInputElement} */ (control).labels?.length)) {
        control.setAttribute("aria-label", nameOf(control));
      }
    }
  };
  new MutationObserver(look).observe(root, { subtree: true, childList: true });
  look();
}

/** @param {Element} control */
function nameOf(control) {
  const parameter = control.closest("[data-param-name]")?.getAttribute("data-param-name");
  return parameter ?? AROUND.find(([around = ""]) => control.closest(around))?.[1] ?? "Value";
}
