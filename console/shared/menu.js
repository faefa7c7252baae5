/** The menu: links in groups, and the button that opens it where there is no room for it. */

import { button } from "./button.js";
import { h, newId } from "./dom.js";

/**
 * Links in the order given; those of one group stand together under its name.
 *
 * @template {{group?: string}} Entry
 * @param {Entry[]} entries
 * @param {(entry: Entry) => HTMLElement} link
 */
export function menuGroups(entries, link) {
  const groups = [...new Set(entries.map((entry) => entry.group))];
  return groups.map((group) => {
    const id = newId();
    const items = entries.filter((entry) => entry.group === group).map((entry) => h("li", {}, link(entry)));
    return [group && h("p", { class: "menu-group", id }, group), h("ul", { "aria-labelledby": group && id }, items)];
  });
}

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
