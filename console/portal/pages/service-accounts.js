/** Service accounts: the programs of the organization. */

import { badge, linkButton } from "../../shared/button.js";
import { h } from "../../shared/dom.js";
import { pageOf, pager } from "../../shared/pager.js";
import { card, empty, section } from "../../shared/states.js";
import { table } from "../../shared/table.js";
import { text } from "../../shared/text.js";
import { time } from "../../shared/time.js";
import { readAccounts } from "../all-accounts.js";
import { pageWith } from "../../shared/page.js";

/**
 * @typedef {{id: string, name: string, description: string, account_id: string, is_active: boolean, roles: string[],
 *   permissions: string[], metadata: Record<string, any>, created_at: string, updated_at: string,
 *   last_used_at: string | null}} ServiceAccount
 */

const QUANTITY = 20;

/** @param {import("../main.js").Context} context */
export async function show({ api, session, router, query }) {
  const accounts = await readAccounts(api, session);
  let page = pageOf(query);
  let account = query.get("account_id") ?? "";
  const list = section(async () => {
    const { data } = await api.get("/service-accounts", {
      query: { page, quantity: QUANTITY, account_id: account, include_inactive: true },
    });
    const go = (/** @type {number} */ to) => {
      page = to;
      router.put({ page: to });
      list.reload();
    };
    if (data.total === 0) {
      return empty("No service accounts yet", "A service account is a program's identity: it has permissions and keys.");
    }
    return [
      serviceAccountTable(data.results, accounts),
      pager({ total: data.total, page, quantity: QUANTITY, what: "service accounts", go }),
    ];
  });
  const filter = h("select", {
    class: "input",
    id: "account",
    onchange: () => {
      account = filter.value;
      page = 1;
      router.put({ account_id: account, page: null });
      list.reload();
    },
  });
  filter.append(h("option", { value: "" }, "All accounts"));
  filter.append(...accounts.map((each) => h("option", { value: each.id }, each.is_active ? each.name : `${each.name} (inactive)`)));
  filter.value = account;
  return pageWith(
    "Service accounts",
    session.can("service-accounts:CreateServiceAccount") &&
      linkButton("Create a service account", "/portal/service-accounts/new", { kind: "primary" }),
    "Programs that sign their requests. What each may do is given one by one.",
    card(
      "All service accounts",
      list.element,
      {
        action:
          accounts.length > 1 &&
          h("div", {}, h("label", { class: "visually-hidden", for: "account" }, "Of the account"), filter),
      },
    ),
  );
}

/**
 * @param {ServiceAccount[]} rows
 * @param {{id: string, name: string}[]} accounts
 */
function serviceAccountTable(rows, accounts) {
  const nameOf = (/** @type {string} */ id) => accounts.find((account) => account.id === id)?.name ?? id;
  return table({
    caption: "Service accounts",
    rows,
    columns: [
      {
        title: "Name",
        cell: (row) => [
          h("a", { href: `/portal/service-accounts/${row.id}` }, text(row.name)),
          row.description && h("div", { class: "small muted" }, text(row.description)),
        ],
      },
      { title: "Account", cell: (row) => text(nameOf(row.account_id)) },
      { title: "State", cell: (row) => (row.is_active ? badge("Active", "good") : badge("Inactive", "bad")) },
      {
        title: "Has",
        cell: (row) =>
          row.permissions.length + row.roles.length === 0
            ? text(null, "nothing")
            : [row.roles.length > 0 && `${row.roles.join(", ")}; `, h("span", { class: "short" }, count(row.permissions.length))],
      },
      { title: "Last used", cell: (row) => time(row.last_used_at) },
    ],
  });
}

/** @param {number} permissions */
function count(permissions) {
  return permissions === 1 ? "1 permission" : `${permissions} permissions`;
}
