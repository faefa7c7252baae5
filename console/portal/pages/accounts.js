/** Accounts: workspaces inside the organization. */

import { badge, button } from "../../shared/button.js";
import { openDialog } from "../../shared/dialog.js";
import { h } from "../../shared/dom.js";
import { selectField, textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { pageOf, pager } from "../../shared/pager.js";
import { card, empty, section } from "../../shared/states.js";
import { announce } from "../../shared/status.js";
import { table } from "../../shared/table.js";
import { code, text } from "../../shared/text.js";
import { time } from "../../shared/time.js";
import { whoWasFaster } from "../faster.js";
import { mergePatch, metadataField } from "../metadata.js";
import { pageWith } from "../../shared/page.js";

/**
 * @typedef {{id: string, code: string, name: string, is_default: boolean, is_active: boolean,
 *   metadata: Record<string, any>, created_at: string}} Account
 */

const QUANTITY = 20;

/** @param {import("../main.js").Context} context */
export function show(context) {
  const { api, session, query, router } = context;
  let page = pageOf(query);
  const list = section(async () => {
    const { data } = await api.get("/accounts", {
      query: { page, quantity: QUANTITY, include_inactive: true, order_by: "name" },
    });
    const go = (/** @type {number} */ to) => {
      page = to;
      router.put({ page: to });
      list.reload();
    };
    return [
      data.results.length === 0 ? empty("No accounts", "An account keeps the service accounts of one workspace together.") : accountTable(context, data.results, list.reload),
      pager({ total: data.total, page, quantity: QUANTITY, what: "accounts", go }),
    ];
  });
  const create = button("Create an account", { kind: "primary", onclick: () => askForAccount(api, list.reload) });
  return pageWith(
    "Accounts",
    session.can("accounts:CreateAccount") && create,
    "Workspaces inside the organization. Each service account belongs to one.",
    card("All accounts", list.element),
  );
}

/**
 * @param {import("../main.js").Context} context
 * @param {Account[]} accounts
 * @param {() => Promise<void>} reload
 */
function accountTable(context, accounts, reload) {
  const { session } = context;
  return table({
    caption: "Accounts",
    rows: accounts,
    columns: [
      { title: "Name", cell: (account) => [text(account.name), account.is_default && [" ", badge("Default")]] },
      { title: "Code", cell: (account) => h("span", { class: "short" }, code(account.code)) },
      {
        title: "State",
        cell: (account) => (account.is_active ? badge("Active", "good") : badge("Inactive", "bad")),
      },
      { title: "Created", cell: (account) => time(account.created_at) },
      {
        title: "Actions",
        actions: true,
        cell: (account) => [
          h("a", { class: "button button-small", href: `/portal/service-accounts?account_id=${account.id}` }, "Service accounts"),
          session.can("accounts:UpdateAccount") &&
            button("Edit", {
              small: true,
              label: `Edit ${account.name}`,
              onclick: () => askToEdit(context, account.id, reload),
            }),
        ],
      },
    ],
  });
}

/**
 * @param {import("../api.js").Api} api
 * @param {() => Promise<void>} reload
 */
function askForAccount(api, reload) {
  openDialog("Create an account", (close) =>
    form({
      fields: [textField({ name: "name", label: "Name", maxlength: 200 }), metadataField({})],
      submit: "Create the account",
      working: "Creating…",
      beside: button("Cancel", { onclick: close }),
      send: async (body) => {
        await api.request("POST", "/accounts", { body });
        close();
        announce("The account is created.");
        await reload();
      },
    }),
  );
}

/**
 * @param {import("../main.js").Context} context
 * @param {string} id
 * @param {() => Promise<void>} reload
 */
async function askToEdit(context, id, reload) {
  const { api } = context;
  const path = `/accounts/${id}`;
  let { data: account, etag } = await api.get(path);
  const states = [
    { value: "true", label: "Active" },
    { value: "false", label: "Inactive: its service accounts' requests are refused" },
  ];
  openDialog("Edit the account", (close) =>
    form({
      fields: [
        textField({ name: "name", label: "Name", value: account.name, maxlength: 200 }),
        ...(account.is_default
          ? []
          : [selectField({ name: "is_active", label: "State", value: String(account.is_active), options: states })]),
        metadataField(account.metadata),
      ],
      submit: "Save",
      working: "Saving…",
      beside: button("Cancel", { onclick: close }),
      current: async () => {
        ({ data: account, etag } = await api.get(path));
        return { ...account, is_active: String(account.is_active) };
      },
      who: () => whoWasFaster(context, id),
      send: async ({ name, is_active: state, metadata }) => {
        const body = {
          name,
          metadata: mergePatch(account.metadata, metadata),
          is_active: state === undefined ? undefined : state === "true",
        };
        await api.request("PATCH", path, { body, ifMatch: etag });
        close();
        announce("Saved.");
        await reload();
      },
    }),
  );
}
