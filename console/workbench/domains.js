/** Which policies a page is about: the built-in ones, or those of a domain of one's own. It is in the address. */

import { linkButton } from "../shared/button.js";
import { h, newId } from "../shared/dom.js";
import { page, pageWith } from "../shared/page.js";
import { notice } from "../shared/states.js";
import { time } from "../shared/time.js";
import { about } from "./places.js";

/** @typedef {{name: string, digest: string | null, refused_since: string | null}} Domain */

const BUILT_IN = "Built-in";

/**
 * @param {import("./main.js").Context} context
 * @returns {Promise<Domain[]>}
 */
export async function domains({ api, signal }) {
  return (await api.get("/policies", { query: { without_texts: true }, signal })).domains;
}

/**
 * The outline of a page with the choice of a domain beside its heading, where there are any.
 *
 * @param {import("./main.js").Context} context
 * @param {string} title
 * @param {import("../shared/dom.js").Child} explanation
 * @param {...import("../shared/dom.js").Child} parts
 */
export async function domainPage(context, title, explanation, ...parts) {
  const names = (await domains(context)).map(({ name }) => name);
  return names.length === 0 && !context.domain
    ? page(title, explanation, ...parts)
    : pageWith(title, choice(context, names), explanation, ...parts);
}

/**
 * @param {import("./main.js").Context} context
 * @param {string[]} names
 */
function choice({ domain, router }, names) {
  const id = newId();
  const known = domain && !names.includes(domain) ? [...names, domain] : names;
  const select = h(
    "select",
    { id, class: "input", onchange: () => router.go(about(location.pathname, select.value || null)) },
    h("option", { value: "" }, BUILT_IN),
    known.map((name) => h("option", { value: name }, name)),
  );
  select.value = domain ?? "";
  return h("div", { class: "row of-domain" }, h("label", { for: id }, "Policies"), select);
}

/**
 * What is refused of the other domains, one notice for each.
 *
 * @param {Domain[]} all
 * @param {string | null} but the one that the page is about
 */
export function refusedDomains(all, but) {
  return all.map(
    ({ name, digest, refused_since: since }) =>
      since !== null &&
      name !== but &&
      notice(
        digest ? `A newer folder of the domain ${name} is refused. What was in force before stays so.` : `The folder of the domain ${name} is refused, and none is in force: its questions are not answered.`,
        "danger",
        h("p", {}, "Since ", time(since), "."),
        h("div", {}, linkButton("See why", about("/workbench/refused-edit", name), { small: true, label: `See why: ${name}` })),
      ),
  );
}
