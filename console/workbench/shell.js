/** The frame around a page: the line at the top, the menu. */

import { button } from "../shared/button.js";
import { fill, h } from "../shared/dom.js";
import { menuGroups, menuOpener } from "../shared/menu.js";
import { about } from "./places.js";
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
      menuGroups(ROUTES.filter((each) => each.menu), (each) => link(each, route)),
      h("ul", { class: "narrow" }, h("li", {}, leave())),
    ),
  );
}

/**
 * @param {import("./routes.js").WorkbenchRoute} entry
 * @param {import("./routes.js").WorkbenchRoute | null} route
 */
function link(entry, route) {
  const { path, menu } = entry;
  const within = route?.path === path ? "page" : route?.path.startsWith(`${path}/`) && "true";
  // Whoever looks at a domain goes on with it.
  const domain = entry.domains && new URLSearchParams(location.search).get("domain");
  return h("a", { href: about(path, domain || null), "aria-current": within }, menu);
}
