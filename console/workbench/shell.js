/** The frame around a page: the line at the top, the menu. */

import { button } from "../shared/button.js";
import { fill, h } from "../shared/dom.js";
import { menuGroups, menuOpener } from "../shared/menu.js";
import { ROUTES } from "./routes.js";

/**
 * @param {{top: HTMLElement, menu: HTMLElement}} places
 * @param {{isSignedIn: boolean, route: import("./routes.js").WorkbenchRoute | null, signOut: () => void}} now
 */
export function showFrame({ top, menu }, { isSignedIn, route, signOut }) {
  const brand = h(
    "a",
    { class: "brand", href: "/" },
    h("img", { src: "/assets/shared/icon.svg", alt: "", width: 28, height: 28 }),
    "Charter",
  );
  // Its room is kept while it is not known who is there.
  menu.hidden = route?.path === "/sign-in" || (!isSignedIn && route?.open === true);
  if (menu.hidden || !isSignedIn) {
    fill(top, brand);
    fill(menu);
    return;
  }
  const opener = menuOpener(menu);
  const leave = () => button("Sign out", { small: true, onclick: signOut });
  fill(top, brand, h("div", { class: "organization" }, "Workbench"), h("div", { class: "person" }, leave(), opener));
  fill(
    menu,
    h(
      "div",
      { class: "menu-inside" },
      menuGroups(ROUTES.filter((each) => each.menu), (each) => entry(each, route)),
      h("ul", { class: "narrow" }, h("li", {}, leave())),
    ),
  );
}

/**
 * @param {import("./routes.js").WorkbenchRoute} entry
 * @param {import("./routes.js").WorkbenchRoute | null} route
 */
function entry({ path, menu }, route) {
  const within = route?.path === path ? "page" : route?.path.startsWith(`${path}/`) && "true";
  return h("a", { href: path, "aria-current": within }, menu);
}
