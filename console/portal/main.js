/** The portal: pages by path, for people with an account and for people without. */

import { App, part } from "../shared/app.js";
import { Connection } from "../shared/connection.js";
import { SignedOutError } from "../shared/errors.js";
import { Router } from "../shared/router.js";
import { hasUnsaved } from "../shared/unsaved.js";
import { Api } from "./api.js";
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

const api = new Api(new Connection(part("away")));
const app = new App("Charter", api);
const session = new Session(api);
const router = new Router(ROUTES, show);

api.reauthenticate = () => (session.isOpen ? askToSignIn(api, session, router) : Promise.reject(new SignedOutError()));
api.onSignedOut = () => {
  if (hasUnsaved()) {
    api.signInAgain().catch(() => {});
  } else if (session.isOpen) {
    toSignIn();
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
function show(route, visit) {
  const isOpen = route === null || route.open === true;
  frame(route);
  return app.show(route, visit.signal, {
    context: async () => {
      if (!isOpen && !session.isOpen) {
        await session.load();
        frame(route);
      }
      return { ...visit, api, session, router };
    },
    above: () => !isOpen && standing({ api, session }),
    onSignedOut: toSignIn,
  });
}

function toSignIn() {
  session.close();
  const here = location.pathname + location.search;
  router.replace(here === "/" || here === "/portal" ? "/sign-in" : `/sign-in?return=${encodeURIComponent(here)}`);
}

router.start();
