/** The portal: pages by path, for people with an account and for people without. */

import { Api } from "./api.js";
import { button } from "../shared/button.js";
import { Connection } from "../shared/connection.js";
import { fill, h } from "../shared/dom.js";
import { AwayError, SignedOutError, errorNotice, isTemporary } from "../shared/errors.js";
import { Router } from "../shared/router.js";
import { loading } from "../shared/states.js";
import { statusIn } from "../shared/status.js";
import { keepTimes } from "../shared/time.js";
import { showFailures } from "../shared/failures.js";
import { page } from "../shared/page.js";
import { askToSignIn } from "./reauthenticate.js";
import { ROUTES } from "./routes.js";
import { Session } from "./session.js";
import { showFrame } from "./shell.js";
import { standing } from "./standing.js";

/**
 * What a page is given.
 *
 * @typedef {import("../shared/router.js").Visit & {api: Api, session: Session, router: Router<any>}} Context
 */

/** @param {string} id */
function part(id) {
  const element = document.getElementById(id);
  if (element === null) {
    throw new Error(`the page has no #${id}`);
  }
  return element;
}

const main = part("main");
statusIn(part("status"));
keepTimes();
showFailures();

const api = new Api(new Connection(part("away")));
const session = new Session(api);
const router = new Router(ROUTES, show);

api.reauthenticate = () => (session.isOpen ? askToSignIn(api, session, router) : Promise.reject(new SignedOutError()));
api.onSignedOut = () => {
  if (session.isOpen) {
    session.close();
    router.go("/sign-in");
  }
};
// Another tab signed in as somebody else: what is on this page is not theirs.
api.onOtherPerson = () => location.replace("/portal");
session.onChange = () => frame(ROUTES.find((route) => route.path === location.pathname) ?? null);

/** @param {import("./routes.js").PortalRoute | null} route */
function frame(route) {
  showFrame({ top: part("top"), menu: part("menu") }, { api, session, router, route });
}

/**
 * @param {import("./routes.js").PortalRoute | null} route
 * @param {import("../shared/router.js").Visit} visit
 */
async function show(route, visit) {
  const isOpen = route === null || route.open === true;
  frame(route);
  if (main.childElementCount === 0 || !session.isOpen) {
    fill(main, loading());
  }
  try {
    if (!isOpen && !session.isOpen) {
      await session.load();
      frame(route);
    }
    const content = route
      ? await (await load(route)).show({ ...visit, api, session, router })
      : page("There is no such page", "The address may be mistyped, or old.");
    if (visit.signal.aborted) {
      return;
    }
    fill(main, !isOpen && standing({ api, session }), content);
  } catch (error) {
    if (visit.signal.aborted) {
      return;
    }
    if (error instanceof SignedOutError) {
      toSignIn();
      return;
    }
    const again = button("Reload", { onclick: () => location.reload() });
    fill(main, page("This page could not be shown", null, errorNotice(error), h("div", {}, again)));
    if (isTemporary(error)) {
      // A module that could not be fetched is not fetched again without a reload.
      api.worthAsking(error, visit.signal).then(() => visit.signal.aborted || location.reload(), () => {});
    }
  }
  arrive();
}

/**
 * A page's module; that it cannot be fetched means that the service is away.
 *
 * @param {import("./routes.js").PortalRoute} route
 */
function load(route) {
  return route.load().catch(() => {
    throw new AwayError();
  });
}

/** Says where one is: the title, and the heading to those who listen. */
function arrive() {
  const heading = main.querySelector("h1");
  document.title = heading ? `${heading.textContent} · Charter` : "Charter";
  if (heading && !main.contains(document.activeElement)) {
    heading.focus({ preventScroll: true });
  }
  scrollTo(0, 0);
}

function toSignIn() {
  session.close();
  const here = location.pathname + location.search;
  router.replace(here === "/" || here === "/portal" ? "/sign-in" : `/sign-in?return=${encodeURIComponent(here)}`);
}

router.start();
