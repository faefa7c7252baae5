/** The button that opens the menu where there is no room for it. */

import { button } from "./button.js";

/** @param {HTMLElement} menu */
export function menuOpener(menu) {
  const set = (/** @type {boolean} */ isOpen) => {
    menu.classList.toggle("menu-open", isOpen);
    opener.setAttribute("aria-expanded", String(isOpen));
  };
  const opener = button("Menu", { onclick: () => set(!menu.classList.contains("menu-open")) });
  opener.classList.add("menu-button");
  opener.setAttribute("aria-controls", "menu");
  const onkeydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape" && menu.classList.contains("menu-open")) {
      set(false);
      opener.focus();
    }
  };
  menu.onkeydown = onkeydown;
  opener.addEventListener("keydown", onkeydown);
  set(false);
  return opener;
}
