/** A section that is shown afresh when what it shows has changed. */

import { fill, h } from "../shared/dom.js";
import { section } from "../shared/states.js";
import { repeat } from "./live.js";

const LOOK_MS = 3_000;

/**
 * The policies, read once, and read again when others are in force or refused.
 *
 * @param {import("./main.js").Context} context
 * @param {(policies: any) => import("../shared/dom.js").Child | Promise<import("../shared/dom.js").Child>} show
 */
export function policiesSection({ api, signal, domain }, show) {
  let shown = "";
  const part = section(async () => {
    const policies = await api.get("/policies", { query: { domain }, signal });
    shown = state(policies);
    return show(policies);
  });
  repeat(LOOK_MS, signal, async () => {
    const policies = await api.get("/policies", { query: { domain, without_texts: true }, signal });
    if (state(policies) !== shown) {
      await part.reload();
      fill(news, "The policies have changed; the page shows the new state.");
    }
  });
  const news = h("p", { class: "visually-hidden", role: "status" });
  return h("div", {}, part.element, news);
}

/** @param {any} policies */
function state({ in_force, refused, shadow, domains }) {
  return JSON.stringify([
    [in_force?.folder_digest, in_force?.since, in_force?.failed_checks, in_force?.warnings, in_force?.failing.length],
    [refused?.folder_digest, refused?.since, refused?.gates.map((/** @type {any} */ gate) => gate.result)],
    [shadow?.folder_digest, shadow?.fault],
    domains,
  ]);
}
