/** A service account's keys: made, rotated with overlap, revoked. */

import { badge, button } from "../shared/button.js";
import { confirmDialog, openDialog } from "../shared/dialog.js";
import { h } from "../shared/dom.js";
import { selectField, textField } from "../shared/field.js";
import { form } from "../shared/form.js";
import { pageOf, pager } from "../shared/pager.js";
import { card, empty, section } from "../shared/states.js";
import { announce } from "../shared/status.js";
import { table } from "../shared/table.js";
import { code, text } from "../shared/text.js";
import { time } from "../shared/time.js";
import { showNewKey } from "./key-made.js";

/**
 * @typedef {{id: string, access_key: string, description: string, service_account_id: string,
 *   expires_at: string | null, ip_allowlist: string[], is_active: boolean, created_at: string,
 *   last_used_at: string | null, revoked_at: string | null}} Key
 * @typedef {Pick<import("./main.js").Context, "api" | "session" | "router" | "query">} Means
 */

const DAY_MS = 86_400_000;
const QUANTITY = 20;

/**
 * @param {Means} means
 * @param {string} owner the service account's id
 */
export function keysCard(means, owner) {
  const { api, session, router, query } = means;
  const path = `/service-accounts/${owner}/keys`;
  let page = pageOf(query);
  let all = query.get("ended") === "true";
  const show = (/** @type {number} */ to) => {
    page = to;
    router.put({ page: page > 1 ? page : null, ended: all ? "true" : null });
    list.reload();
  };
  const list = section(async () => {
    const { data } = await api.get(path, { query: { page, quantity: QUANTITY, include_inactive: all || undefined } });
    return [
      data.results.length === 0 ? empty("No keys yet", "A program signs its requests with a key.") : keyTable(means, data.results, list.reload),
      pager({ total: data.total, page, quantity: QUANTITY, what: "keys", go: show }),
    ];
  });
  const toggle = h("input", {
    type: "checkbox",
    id: "all-keys",
    onchange: () => {
      all = toggle.checked;
      show(1);
    },
  });
  toggle.checked = all;
  const make = button("Create a key", { kind: "primary", onclick: () => askForKey(api, path, list.reload) });
  return card(
    "Keys",
    [list.element, h("div", { class: "choice small" }, toggle, h("label", { for: "all-keys" }, "Include ended keys"))],
    { action: session.can("service-accounts:CreateKey") && make },
  );
}

/**
 * @param {Means} means
 * @param {Key[]} keys
 * @param {() => Promise<void>} reload
 */
function keyTable({ api, session }, keys, reload) {
  return table({
    caption: "Keys",
    wide: true,
    rows: keys,
    columns: [
      {
        title: "Key",
        cell: (key) => [
          key.description && h("div", {}, text(key.description)),
          h("div", { class: "small" }, code(key.access_key)),
          key.ip_allowlist.length > 0 &&
            h("div", { class: "small muted" }, "from ", text(key.ip_allowlist.join(", ")), " only"),
        ],
      },
      { title: "State", cell: keyState },
      { title: "Created", cell: (key) => time(key.created_at) },
      { title: "Expires", cell: (key) => time(key.expires_at) },
      { title: "Last used", cell: (key) => time(key.last_used_at) },
      {
        title: "Actions",
        actions: true,
        cell: (key) =>
          key.is_active && [
            session.can("service-accounts:RotateKey") &&
              button("Rotate", {
                small: true,
                label: `Rotate ${key.access_key}`,
                onclick: () => askToRotate(api, key, reload),
              }),
            session.can("service-accounts:RevokeKey") &&
              button("Revoke", {
                small: true,
                label: `Revoke ${key.access_key}`,
                onclick: () => askToRevoke(api, key, reload),
              }),
          ],
      },
    ],
  });
}

/** @param {Pick<Key, "is_active" | "revoked_at" | "expires_at">} key */
export function keyState(key) {
  const expires = key.expires_at ? Date.parse(key.expires_at) : null;
  if (key.revoked_at) {
    return badge("Revoked", "bad");
  }
  if (expires !== null && expires <= Date.now()) {
    return badge("Expired", "bad");
  }
  if (!key.is_active) {
    return badge("Inactive", "bad");
  }
  return expires !== null && expires - Date.now() < 14 * DAY_MS ? badge("Expires soon", "warning") : badge("Active", "good");
}

const LIFETIMES = [
  { value: "90", label: "In 90 days" },
  { value: "30", label: "In 30 days" },
  { value: "365", label: "In a year" },
  { value: "", label: "Never" },
];

/**
 * @param {import("./api.js").Api} api
 * @param {string} path
 * @param {() => Promise<void>} reload
 */
function askForKey(api, path, reload) {
  openDialog("Create a key", (close) =>
    form({
      fields: [
        textField({
          name: "description",
          label: "Description",
          optional: true,
          hint: "Where it is used, for those who find it later.",
        }),
        selectField({ name: "expires_at", label: "Expires", options: LIFETIMES }),
        textField({
          name: "ip_allowlist",
          label: "Only from these addresses",
          type: "area",
          mono: true,
          optional: true,
          hint: "One address or network a line, such as 192.0.2.7 or 2001:db8::/32. Empty: from anywhere.",
          parse: (given) => given.split(/[\s,]+/).filter(Boolean),
        }),
      ],
      submit: "Create the key",
      working: "Creating…",
      beside: button("Cancel", { onclick: close }),
      send: async (values) => {
        const body = { ...values, expires_at: inDays(values.expires_at) };
        const { data } = await api.request("POST", path, { body });
        close();
        await showNewKey(api, data);
        await reload();
      },
    }),
  );
}

/** @param {string} days */
function inDays(days) {
  return days === "" ? null : `${new Date(Date.now() + Number(days) * DAY_MS).toISOString().slice(0, 19)}Z`;
}

const OVERLAPS = [
  { value: "86400", label: "For a day" },
  { value: "3600", label: "For an hour" },
  { value: "604800", label: "For a week" },
  { value: "0", label: "Not at all: it ends now" },
];

/**
 * @param {import("./api.js").Api} api
 * @param {Key} key
 * @param {() => Promise<void>} reload
 */
function askToRotate(api, key, reload) {
  openDialog("Rotate the key", (close) => [
    h("p", {}, "A new key takes over the description and the addresses. Both work until the overlap ends."),
    h("p", { class: "small" }, code(key.access_key)),
    form({
      fields: [selectField({ name: "overlap_seconds", label: "The old key goes on working", options: OVERLAPS })],
      submit: "Rotate",
      working: "Rotating…",
      beside: button("Cancel", { onclick: close }),
      send: async ({ overlap_seconds: overlap }) => {
        const path = `/service-accounts/${key.service_account_id}/keys/${key.id}/rotate`;
        const { data } = await api.request("POST", path, { body: { overlap_seconds: Number(overlap) } });
        close();
        await showNewKey(api, data);
        await reload();
      },
    }),
  ]);
}

/**
 * @param {import("./api.js").Api} api
 * @param {Key} key
 * @param {() => Promise<void>} reload
 */
function askToRevoke(api, key, reload) {
  confirmDialog({
    title: "Revoke the key?",
    consequences: [
      h("p", {}, code(key.access_key)),
      h("p", {}, "The next request with it is refused. That cannot be undone. Last used: ", time(key.last_used_at), "."),
    ],
    action: "Revoke",
    working: "Revoking…",
    run: async () => {
      await api.request("DELETE", `/service-accounts/${key.service_account_id}/keys/${key.id}`);
      announce("The key is revoked.");
      await reload();
    },
  });
}
