/** The workbench: pages by path, for who holds the operator token. */

import { App, part } from "../shared/app.js";
import { Connection } from "../shared/connection.js";
import { SignedOutError } from "../shared/errors.js";
import { Router } from "../shared/router.js";
import { hasUnsaved } from "../shared/unsaved.js";
import { Api } from "./api.js";
import { HOME } from "./home.js";
import { askToSignIn } from "./reauthenticate.js";
import { ROUTES } from "./routes.js";
import { showFrame } from "./shell.js";

/**
 * What a page is given.
 *
 * @typedef {import("../shared/router.js").Visit & {api: Api, router: Router<any>, domain: string | null}} Context `domain`: the
 *   one that the page is about; null for the built-in policies
 */

const api = new Api(new Connection(part("away")));
const app = new App("Charter workbench", api);
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
  if (hasUnsaved()) {
    api.signInAgain().catch(() => {});
  } else if (isSignedIn) {
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
  showFrame({ top: part("top"), menu: part("menu") }, { isSignedIn, route: here, signOut: () => router.leave(signOut) });
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
function show(route, visit) {
  here = route;
  frame();
  return app.show(route, visit.signal, {
    context: async () => ({ ...visit, api, router, domain: visit.query.get("domain") || null }),
    // The page to sign in is on its way.
    onSignedOut: () => {},
  });
}

function toSignIn() {
  isSignedIn = false;
  const address = location.pathname + location.search;
  if (location.pathname !== "/sign-in") {
    router.replace(address === "/" || address === HOME ? "/sign-in" : `/sign-in?return=${encodeURIComponent(address)}`);
  }
}

router.start();
