/** All keys of the organization: old ones, unused ones, those that expire soon. */

import { badge, linkButton } from "../../shared/button.js";
import { h } from "../../shared/dom.js";
import { pageOf, pager } from "../../shared/pager.js";
import { card, empty, section } from "../../shared/states.js";
import { table } from "../../shared/table.js";
import { code, text } from "../../shared/text.js";
import { time } from "../../shared/time.js";
import { filterForm } from "../../shared/filters.js";
import { keyState } from "../keys.js";
import { page } from "../../shared/page.js";

/** @typedef {import("../keys.js").Key & {service_account: {id: string, name: string, is_active: boolean}}} Key */

const QUANTITY = 50;
const FILTERS = ["unused_for_days", "older_than_days", "expires_within_days", "include_inactive"];

/** @param {import("../main.js").Context} context */
export function show(context) {
  const { api, query, router, signal } = context;
  const filters = Object.fromEntries(FILTERS.map((name) => [name, query.get(name)]));
  let at = pageOf(query);
  const list = section(async () => {
    const { data } = await api.get("/keys", { query: { ...filters, page: at, quantity: QUANTITY }, signal });
    const go = (/** @type {number} */ to) => {
      at = to;
      router.put({ page: to });
      list.reload();
    };
    return [
      data.results.length === 0 ? nothing(Object.values(filters).some(Boolean)) : keyTable(data.results),
      pager({ total: data.total, page: at, quantity: QUANTITY, what: "keys", go }),
    ];
  });
  /** @type {(days: string) => [string, string]} */
  const days = (given) => [given, `${given} days`];
  return page(
    "Keys",
    "Every key of the organization. Rotate what is old, and revoke what nobody uses.",
    card("All keys", [
      filterForm(context, [
        { name: "unused_for_days", label: "Unused for", options: [["", "Any time"], ...["30", "45", "90"].map(days)] },
        { name: "older_than_days", label: "Older than", options: [["", "Any age"], ...["90", "180", "365"].map(days)] },
        { name: "expires_within_days", label: "Expires within", options: [["", "Any time"], ...["7", "30", "90"].map(days)] },
        {
          name: "include_inactive",
          label: "State",
          options: [
            ["", "Active ones"],
            ["true", "Active and ended ones"],
          ],
        },
      ]),
      list.element,
    ]),
  );
}

/** @param {boolean} isFiltered */
function nothing(isFiltered) {
  return isFiltered
    ? empty("No such keys", "No key fits the filter.")
    : empty("No keys yet", "A program signs its requests with a key. It is created at the program's service account.", linkButton("Service accounts", "/portal/service-accounts"));
}

/** @param {Key[]} keys */
function keyTable(keys) {
  return table({
    caption: "Keys",
    wide: true,
    rows: keys,
    columns: [
      {
        title: "Service account",
        cell: ({ service_account: owner }) => [
          h("a", { href: `/portal/service-accounts/${owner.id}` }, text(owner.name)),
          !owner.is_active && [" ", badge("Inactive", "bad")],
        ],
      },
      {
        title: "Key",
        cell: (key) => [key.description && h("div", {}, text(key.description)), h("div", { class: "small" }, code(key.access_key))],
      },
      { title: "State", cell: keyState },
      { title: "Created", cell: (key) => time(key.created_at) },
      { title: "Expires", cell: (key) => time(key.expires_at) },
      { title: "Last used", cell: (key) => time(key.last_used_at) },
    ],
  });
}
