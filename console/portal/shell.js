/** The frame around a page: the line at the top, the menu of what this person may see. */

import { button, linkButton } from "../shared/button.js";
import { fill, h } from "../shared/dom.js";
import { menuGroups, menuOpener } from "../shared/menu.js";
import { text } from "../shared/text.js";
import { ROUTES } from "./routes.js";

/**
 * @param {{top: HTMLElement, menu: HTMLElement}} places
 * @param {Pick<import("./main.js").Context, "api" | "session" | "router"> &
 *   {route: import("./routes.js").PortalRoute | null}} now
 */
export function showFrame({ top, menu }, { api, session, router, route }) {
  const brand = h(
    "a",
    { class: "brand", href: session.isOpen ? "/portal" : "/" },
    h("img", { src: "/assets/shared/icon.svg", alt: "", width: 28, height: 28 }),
    "Charter",
  );
  const isFramed = route ? !route.open || (route.path === "/components" && session.isOpen) : session.isOpen;
  // Its room is kept while it is not known who is there.
  menu.hidden = !isFramed;
  if (!isFramed || !session.isOpen) {
    fill(top, brand);
    fill(menu);
    return;
  }
  const opener = menuOpener(menu);
  const leave = async () => {
    await api.signOut().catch(() => {});
    session.close();
    router.go("/sign-in");
  };
  const signOut = () => button("Sign out", { small: true, onclick: () => router.leave(leave) });
  const profile = linkButton("Profile", "/portal/profile", { small: true, kind: "plain" });
  if (route?.path === "/portal/profile") {
    profile.setAttribute("aria-current", "page");
  }
  fill(
    top,
    brand,
    h("div", { class: "organization" }, text(session.me.organization.name)),
    h("div", { class: "person" }, h("span", { class: "email small muted" }, text(session.me.email)), profile, signOut(), opener),
  );
  const offered = ROUTES.filter((each) => each.menu && (!each.permission || session.can(each.permission)));
  const narrow = [entry({ path: "/portal/profile", menu: "Profile" }, route), signOut()];
  fill(
    menu,
    h(
      "div",
      { class: "menu-inside" },
      menuGroups(offered, (each) => entry(each, route)),
      h("ul", { class: "narrow" }, narrow.map((each) => h("li", {}, each))),
    ),
  );
}

/**
 * @param {{path: string, menu?: string}} entry
 * @param {import("./routes.js").PortalRoute | null} route
 */
function entry({ path, menu }, route) {
  const within = route?.path === path ? "page" : route?.path.startsWith(`${path}/`) && path !== "/portal" && "true";
  return h("a", { href: path, "aria-current": within }, menu);
}
