/** Pages by path, with the browser's history. */

import { askToLeave, closeDialogs } from "./dialog.js";
import { forgetUnsaved, hasUnsaved } from "./unsaved.js";

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
  /** Where this page is in the browser's history, so that one step back can be undone. */
  #at = 0;
  #address = "";

  /**
   * @param {R[]} routes
   * @param {(route: R | null, visit: Visit) => void} show `null`: there is no such page
   */
  constructor(routes, show) {
    this.#routes = routes;
    this.#show = show;
    addEventListener("popstate", () => this.#traverse());
    document.addEventListener("click", (event) => this.#follow(event));
  }

  start() {
    this.#at = history.state?.at ?? 0;
    history.replaceState({ ...history.state, at: this.#at }, "");
    this.#visit();
  }

  /** @param {string} target */
  go(target) {
    this.#push(target);
    this.#visit();
  }

  /** @param {string} target the address is not kept */
  replace(target) {
    history.replaceState({ at: this.#at }, "", target);
    this.#visit();
  }

  /**
   * Puts a parameter of the page that is shown into the address, so that going back and reloading find it.
   *
   * @param {Record<string, string | number | null>} given `null` and empty: none
   */
  put(given) {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(given)) {
      query.delete(name);
      if (value !== null && value !== "") {
        query.set(name, String(value));
      }
    }
    const target = query.size === 0 ? location.pathname : `${location.pathname}?${query}`;
    if (target !== address()) {
      this.#push(target);
      this.#address = address();
    }
  }

  /**
   * Goes on unless something entered would be lost and is to stay.
   *
   * @param {() => void} go
   */
  leave(go) {
    if (hasUnsaved()) {
      askToLeave(() => {
        forgetUnsaved();
        go();
      });
    } else {
      go();
    }
  }

  /** @param {string} target */
  #push(target) {
    this.#at += 1;
    history.pushState({ at: this.#at }, "", target);
  }

  /** Back or forward in the browser's history, which has happened already. */
  #traverse() {
    // An entry without a state is one that a fragment has just made.
    const at = history.state?.at ?? this.#at + 1;
    const steps = at - this.#at;
    if (address() === this.#address) {
      history.replaceState({ ...history.state, at }, "");
      this.#at = at;
    } else if (hasUnsaved() && steps !== 0) {
      history.go(-steps);
      this.leave(() => history.go(steps));
    } else {
      this.#at = at;
      this.#visit();
    }
  }

  #visit() {
    this.#address = address();
    closeDialogs();
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
    this.leave(() => this.go(target.pathname + target.search));
  }
}

function address() {
  return location.pathname + location.search;
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
