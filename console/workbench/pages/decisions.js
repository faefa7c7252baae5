/** Decisions of every organization as they come, each explained. */

import { busy, button } from "../../shared/button.js";
import { fill, h } from "../../shared/dom.js";
import { errorNotice } from "../../shared/errors.js";
import { chunks, whenSeen } from "../../shared/feed.js";
import { filterForm, filterQuery } from "../../shared/filters.js";
import { page } from "../../shared/page.js";
import { card, section } from "../../shared/states.js";
import { announce } from "../../shared/status.js";
import { code, permissionSuggestions, permissionWords, text } from "../../shared/text.js";
import { time } from "../../shared/time.js";
import { catalogue } from "../catalogue.js";
import { decisionDetails, outcome } from "../decision-details.js";
import { domains } from "../domains.js";
import { repeat } from "../live.js";

/**
 * @typedef {{id: string, at: string, domain: string | null, organization: string | null, principal: import("../places.js").Entity, action: string,
 *   resource: import("../places.js").Entity, decision: string, code: string | null, policies: string[], shadow: any,
 *   rest: number}} Decision
 */

const FILTERS = ["outcome", "permission", "domain", "organization", "principal", "policy", "shadow_differs", "since", "until"];
const LIMIT = 200;
const LOOK_MS = 2_000;
/** Pages that are read at once to catch up with what came meanwhile. */
const MOST_PAGES = 10;
/** Shown at most while they come in: a page that is left open for a day does not jam. */
const MOST_SHOWN = 10_000;

/** @param {import("../main.js").Context} context */
export function show(context) {
  const { api, domain, signal } = context;
  const permissions = catalogue(api, domain, signal).then((known) => permissionSuggestions(known.permissions), () => []);
  const known = domains(context).then((all) => all.map(({ name }) => /** @type {[string, string]} */ ([name, name])), () => []);
  return page(
    "Decisions",
    "What policies decided, of every organization, newest first. Open one to see why.",
    card("Latest", [filterForm(context, [
      { name: "outcome", label: "Outcome", options: [["", "Any"], ["deny", "Denied"], ["allow", "Allowed"]] },
      { name: "permission", label: "Permission", suggestions: permissions },
      { name: "domain", label: "Domain", suggestions: known },
      { name: "organization", label: "Organization (id)" },
      { name: "principal", label: "Principal (id)" },
      { name: "policy", label: "Policy" },
      { name: "shadow_differs", label: "Shadow", options: [["", "Any"], ["true", "Decides otherwise"]] },
      { name: "since", label: "From", type: "date" },
      { name: "until", label: "To", type: "date" },
    ]), section(() => live(context)).element]),
  );
}

/** @param {import("../main.js").Context} context */
async function live({ api, query, signal }) {
  const filters = filterQuery(query, FILTERS);
  /** @param {string | null} cursor */
  const read = (cursor) => api.get("/decisions", { query: { ...filters, cursor, limit: LIMIT }, signal });
  const first = await readSome(read);
  /** Ids of those listed. Of one millisecond they are in no order. */
  const known = new Set();
  let cursor = first.next_cursor;
  let count = 0;
  let isLive = true;
  let isCut = false;

  const lists = h("div", { class: "stack-none" });
  const line = h("p", { class: "muted" });
  const failed = h("div");
  const more = button("Show more", { onclick: () => busy(more, "Loading…", next) });
  whenSeen(more, () => more.hidden || more.click());
  const pause = button("Pause", {
    small: true,
    onclick: () => {
      isLive = !isLive;
      fill(pause, isLive ? "Pause" : "Go on");
      announce(isLive ? "Updates are shown again." : "Updates are paused.");
      tell();
    },
  });

  const tell = () => {
    const words = count === 0 ? "Nothing decided yet that fits" : `${count} shown`;
    fill(line, words, isLive ? "; new ones appear by themselves." : "; paused.", isCut && " Older ones: narrow the search.");
    more.hidden = !cursor || isCut;
  };
  const list = (/** @type {Decision[]} */ decisions) => {
    count += decisions.length;
    decisions.forEach((it) => known.add(it.id));
    const items = decisions.map((it) => entry({ api, signal }, it));
    return chunks({ class: "feed decisions", label: "Decisions", items });
  };
  /** The oldest make room for those that come in. */
  function cut() {
    while (count > MOST_SHOWN && lists.childElementCount > 1) {
      count -= lists.lastElementChild?.childElementCount ?? 0;
      lists.lastElementChild?.remove();
      isCut = true;
    }
  }
  async function next() {
    fill(failed);
    try {
      const found = await readSome(read, cursor);
      lists.append(...list(found.results));
      cursor = found.next_cursor;
      tell();
    } catch (error) {
      fill(failed, errorNotice(error));
    }
  }
  async function look() {
    if (!isLive) {
      return;
    }
    const fresh = await since(read, known);
    if (fresh.length > 0) {
      lists.prepend(...list(fresh));
      cut();
      tell();
    }
  }

  if (first.results.length > 0) {
    lists.append(...list(first.results));
  }
  tell();
  repeat(LOOK_MS, signal, look);
  return h("div", { class: "stack" }, h("div", { class: "row row-apart" }, line, pause), lists, failed, h("div", { class: "row" }, more));
}

/**
 * A page may be empty before the end of the log.
 *
 * @param {(cursor: string | null) => Promise<any>} read
 * @param {string | null} [cursor]
 */
async function readSome(read, cursor = null) {
  let found = await read(cursor);
  for (let pages = 1; found.results.length === 0 && found.next_cursor && pages < MOST_PAGES; pages += 1) {
    found = await read(found.next_cursor);
  }
  return found;
}

/**
 * What came after the known ones.
 *
 * @param {(cursor: string | null) => Promise<any>} read
 * @param {Set<string>} known
 * @returns {Promise<Decision[]>}
 */
async function since(read, known) {
  const fresh = [];
  let cursor = null;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const found = await read(cursor);
    const unknown = found.results.filter((/** @type {Decision} */ it) => !known.has(it.id));
    fresh.push(...unknown);
    cursor = found.next_cursor;
    if (unknown.length < found.results.length || !cursor || known.size === 0) {
      break;
    }
  }
  return fresh;
}

/**
 * @param {Pick<import("../main.js").Context, "api" | "signal">} context
 * @param {Decision} decision
 */
function entry(context, decision) {
  const inside = h("div", { class: "inside" });
  const element = h(
    "details",
    {},
    h(
      "summary",
      {},
      time(decision.at),
      h(
        "span",
        { class: "row" },
        outcome(decision.decision),
        decision.domain && h("span", { class: "badge", title: "The domain that decided" }, decision.domain),
        decision.shadow && h("span", { class: "badge badge-warning", title: "The shadow policies decide otherwise" }, "Shadow"),
        decision.rest > 0 && h("span", { class: "badge", title: "Allowed ones of its kind before it that are counted only" }, `+${decision.rest}`),
      ),
      h("span", { class: "did", title: decision.action }, permissionWords(decision.action)),
      h("span", { title: decision.principal.type }, code(decision.principal.id)),
      h("span", { class: "small muted" }, decision.policies.length > 0 ? code(decision.policies.join(", ")) : text(decision.code, "no policy")),
    ),
    inside,
  );
  element.addEventListener("toggle", () => {
    fill(inside, element.open && section(() => decisionDetails(context, decision.id)).element);
  });
  return h("li", {}, element);
}
