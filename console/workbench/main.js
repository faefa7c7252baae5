/** The workbench: pages by path, for who holds the operator token. */

import { button } from "../shared/button.js";
import { Connection } from "../shared/connection.js";
import { fill, h } from "../shared/dom.js";
import { AwayError, SignedOutError, errorNotice, isTemporary } from "../shared/errors.js";
import { showFailures } from "../shared/failures.js";
import { page } from "../shared/page.js";
import { Router } from "../shared/router.js";
import { loading } from "../shared/states.js";
import { statusIn } from "../shared/status.js";
import { keepTimes } from "../shared/time.js";
import { Api } from "./api.js";
import { askToSignIn } from "./reauthenticate.js";
import { HOME, ROUTES } from "./routes.js";
import { showFrame } from "./shell.js";

/**
 * What a page is given.
 *
 * @typedef {import("../shared/router.js").Visit & {api: Api, router: Router<any>}} Context
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
const router = new Router(ROUTES, show);
let isSignedIn = false;
/** @type {import("./routes.js").WorkbenchRoute | null} */
let here = null;

api.onAnswer = () => {
  if (!isSignedIn) {
    isSignedIn = true;
    frame();
  }
};
api.onSignedOut = () => {
  if (isSignedIn) {
    toSignIn();
  }
};
// Who has been at work goes on over the page; who has just arrived is led to the page to sign in and back.
api.reauthenticate = () => {
  if (!isSignedIn) {
    toSignIn();
    return Promise.reject(new SignedOutError());
  }
  return askToSignIn(api, toSignIn);
};

function frame() {
  showFrame({ top: part("top"), menu: part("menu") }, { isSignedIn, route: here, signOut });
}

async function signOut() {
  await api.signOut().catch(() => {});
  isSignedIn = false;
  router.go("/sign-in");
}

/**
 * @param {import("./routes.js").WorkbenchRoute | null} route
 * @param {import("../shared/router.js").Visit} visit
 */
async function show(route, visit) {
  here = route;
  frame();
  if (main.childElementCount === 0 || !isSignedIn) {
    fill(main, loading());
  }
  try {
    const content = route
      ? await (await load(route)).show({ ...visit, api, router })
      : page("There is no such page", "The address may be mistyped, or old.");
    if (visit.signal.aborted) {
      return;
    }
    fill(main, content);
  } catch (error) {
    if (visit.signal.aborted || error instanceof SignedOutError) {
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
 * @param {import("./routes.js").WorkbenchRoute} route
 */
function load(route) {
  return route.load().catch((error) => {
    reportError(error);
    throw new AwayError();
  });
}

/** Says where one is: the title, and the heading to those who listen. */
function arrive() {
  const heading = main.querySelector("h1");
  document.title = heading ? `${heading.textContent} · Charter workbench` : "Charter workbench";
  if (heading && !main.contains(document.activeElement)) {
    heading.focus({ preventScroll: true });
  }
  const marked = main.querySelector("[data-arrive]");
  if (marked) {
    marked.scrollIntoView({ block: "center" });
  } else {
    scrollTo(0, 0);
  }
}

function toSignIn() {
  isSignedIn = false;
  const address = location.pathname + location.search;
  if (location.pathname !== "/sign-in") {
    router.replace(address === "/" || address === HOME ? "/sign-in" : `/sign-in?return=${encodeURIComponent(address)}`);
  }
}

router.start();
