/** What both apps do with a page: show that it loads, show it or what failed, and say where one is. */

import { button, linkButton } from "./button.js";
import { fill, h } from "./dom.js";
import { AwayError, SignedOutError, errorNotice, isTemporary } from "./errors.js";
import { showFailures } from "./failures.js";
import { page } from "./page.js";
import { loading, sectionsLoaded } from "./states.js";
import { statusIn } from "./status.js";
import { keepTimes } from "./time.js";

/** A quick answer does not flicker. */
const LOADING_MS = 300;
/** For which the sections of a page are waited for, so that it comes as a whole. */
const SECTIONS_MS = 2_000;

/** @param {string} id */
export function part(id) {
  const element = document.getElementById(id);
  if (element === null) {
    throw new Error(`the page has no #${id}`);
  }
  return element;
}

/**
 * @template Context
 * @typedef {{menu?: string, load: () => Promise<{show: (context: Context) => Node | Promise<Node>}>}} Loaded
 */

export class App {
  #main = part("main");
  #name;
  #api;

  /**
   * @param {string} name
   * @param {import("./api.js").ApiCore} api
   */
  constructor(name, api) {
    this.#name = name;
    this.#api = api;
    statusIn(part("status"));
    keepTimes();
    showFailures();
  }

  /**
   * @template Context
   * @param {Loaded<Context> | null} route null: there is no such page
   * @param {AbortSignal} signal aborted when the page is left
   * @param {object} options
   * @param {() => Promise<Context>} options.context
   * @param {() => import("./dom.js").Child} [options.above] what stands over the page
   * @param {() => void} options.onSignedOut
   */
  async show(route, signal, { context, above, onSignedOut }) {
    const main = this.#main;
    main.setAttribute("aria-busy", "true");
    const slow = setTimeout(() => {
      fill(main, page(route?.menu ?? "Loading", null, loading()));
      document.title = `Loading · ${this.#name}`;
    }, LOADING_MS);
    signal.addEventListener("abort", () => clearTimeout(slow));
    try {
      const content = route ? await shown(route, await context()) : page("There is no such page", "The address may be mistyped, or old.", h("div", {}, linkButton("Go to the start", "/")));
      await sectionsLoaded(content, SECTIONS_MS);
      if (signal.aborted) {
        return;
      }
      fill(main, above?.(), content);
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      if (error instanceof SignedOutError) {
        onSignedOut();
        return;
      }
      this.#fail(error, signal);
    } finally {
      clearTimeout(slow);
    }
    main.removeAttribute("aria-busy");
    this.#arrive();
  }

  /**
   * @param {unknown} error
   * @param {AbortSignal} signal
   */
  #fail(error, signal) {
    const again = button("Reload", { onclick: () => location.reload() });
    const words = isTemporary(error) && h("p", {}, "This page loads by itself as soon as it can.");
    fill(this.#main, page("This page could not be shown", null, errorNotice(error, words), h("div", {}, again)));
    if (isTemporary(error)) {
      // A module that could not be fetched is not fetched again without a reload.
      this.#api.worthAsking(error, signal).then(() => signal.aborted || location.reload(), () => {});
    }
  }

  /** Says where one is: the title, and the heading to those who listen. */
  #arrive() {
    const heading = this.#main.querySelector("h1");
    document.title = heading ? `${heading.textContent} · ${this.#name}` : this.#name;
    if (heading && !this.#main.contains(document.activeElement)) {
      heading.focus({ preventScroll: true });
    }
    const marked = this.#main.querySelector("[data-arrive]");
    if (marked) {
      marked.scrollIntoView({ block: "center" });
    } else {
      scrollTo(0, 0);
    }
  }
}

/**
 * A page's module is loaded when it is visited; that it cannot be fetched means that the service is away.
 *
 * @template Context
 * @param {Loaded<Context>} route
 * @param {Context} context
 */
async function shown(route, context) {
  const module = await route.load().catch((error) => {
    reportError(error);
    throw new AwayError();
  });
  return module.show(context);
}
