/** Pages by path, with the browser's history. */

import { openDialog } from "./dialog.js";
import { button } from "./button.js";
import { h } from "./dom.js";
import { hasUnsaved } from "./form.js";

/**
 * @typedef {object} Visit
 * @property {Record<string, string>} params of the path
 * @property {URLSearchParams} query
 * @property {AbortSignal} signal aborted when the page is left
 *
 * @typedef {object} Route
 * @property {string} path `/portal/service-accounts/:id`
 */

/** @template {Route} R */
export class Router {
  #routes;
  #show;
  #leave = new AbortController();

  /**
   * @param {R[]} routes
   * @param {(route: R | null, visit: Visit) => void} show `null`: there is no such page
   */
  constructor(routes, show) {
    this.#routes = routes;
    this.#show = show;
    addEventListener("popstate", () => this.#visit());
    document.addEventListener("click", (event) => this.#follow(event));
  }

  start() {
    this.#visit();
  }

  /** @param {string} target */
  go(target) {
    history.pushState(null, "", target);
    this.#visit();
  }

  /** @param {string} target the address is not kept */
  replace(target) {
    history.replaceState(null, "", target);
    this.#visit();
  }

  #visit() {
    this.#leave.abort();
    this.#leave = new AbortController();
    const { signal } = this.#leave;
    const query = new URLSearchParams(location.search);
    for (const route of this.#routes) {
      const params = match(route.path, location.pathname);
      if (params) {
        this.#show(route, { params, query, signal });
        return;
      }
    }
    this.#show(null, { params: {}, query, signal });
  }

  /** @param {MouseEvent} event */
  #follow(event) {
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    if (!(link instanceof HTMLAnchorElement) || !isPlain(event) || link.target || link.hasAttribute("download")) {
      return;
    }
    const target = new URL(link.href);
    const known = target.origin === location.origin && this.#routes.some((route) => match(route.path, target.pathname));
    if (!known || (target.hash && target.pathname === location.pathname)) {
      return;
    }
    event.preventDefault();
    const go = () => this.go(target.pathname + target.search);
    if (hasUnsaved()) {
      askToLeave(go);
    } else {
      go();
    }
  }
}

/** @param {() => void} go */
function askToLeave(go) {
  openDialog("Leave without saving?", (close) => [
    h("p", {}, "What you entered on this page is not saved."),
    h(
      "div",
      { class: "buttons" },
      button("Stay", { onclick: close }),
      button("Leave", {
        kind: "danger",
        onclick: () => {
          close();
          go();
        },
      }),
    ),
  ]);
}

/** @param {MouseEvent} event */
function isPlain(event) {
  const modified = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  return event.button === 0 && !modified && !event.defaultPrevented;
}

/**
 * @param {string} pattern
 * @param {string} path
 * @returns {Record<string, string> | null}
 */
function match(pattern, path) {
  const [wanted, given] = [pattern.split("/"), path.split("/")];
  if (wanted.length !== given.length) {
    return null;
  }
  /** @type {Record<string, string>} */
  const params = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? "";
    if (part.startsWith(":")) {
      params[part.slice(1)] = value;
    } else if (part !== value) {
      return null;
    }
  }
  return params;
}
