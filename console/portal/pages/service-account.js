/** One service account: what it may do, its keys, its end. */

import { badge, button } from "../../shared/button.js";
import { confirmDialog } from "../../shared/dialog.js";
import { h } from "../../shared/dom.js";
import { selectField, textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { card, notice } from "../../shared/states.js";
import { announce } from "../../shared/status.js";
import { pairs } from "../../shared/table.js";
import { code, permissionWords, text } from "../../shared/text.js";
import { exactTime, time } from "../../shared/time.js";
import { readAccounts } from "../all-accounts.js";
import { whoWasFaster } from "../faster.js";
import { grantFields, readNames } from "../grants.js";
import { keysCard } from "../keys.js";
import { mergePatch, metadataField } from "../metadata.js";
import { page } from "../../shared/page.js";

/** @typedef {import("./service-accounts.js").ServiceAccount} ServiceAccount */

/** @param {import("../main.js").Context} context */
export async function show(context) {
  const { api, session, params } = context;
  const path = `/service-accounts/${encodeURIComponent(params.id ?? "")}`;
  const [answer, accounts] = await Promise.all([api.get(path), readAccounts(api, session)]);
  /** @type {ServiceAccount} */
  const found = answer.data;
  const account = accounts.find((each) => each.id === found.account_id)?.name ?? found.account_id;
  const mayEdit = session.can("service-accounts:UpdateServiceAccount") && session.can("permissions:ListPermissions");
  return page(
    found.name,
    h("a", { href: "/portal/service-accounts" }, "All service accounts"),
    !found.is_active && notice("It is inactive: its requests are refused.", "warning"),
    keysCard(context, found.id),
    card(
      "Details",
      pairs([
        !mayEdit && ["Description", text(found.description, "none")],
        ["Account", text(account)],
        !mayEdit && ["State", found.is_active ? badge("Active", "good") : badge("Inactive", "bad")],
        ["Id", code(found.id)],
        ["Created", exactTime(found.created_at)],
        ["Last used", time(found.last_used_at)],
        !mayEdit && ["Roles", text(found.roles.join(", "), "none")],
        !mayEdit && ["Permissions", given(found.permissions)],
      ]),
    ),
    mayEdit && (await edit(context, path, answer)),
    session.can("service-accounts:DeleteServiceAccount") && end(context, path, found),
  );
}

/** @param {string[]} permissions */
function given(permissions) {
  return permissions.length === 0
    ? text(null, "none")
    : h("ul", { class: "permissions" }, permissions.map((each) => h("li", { title: each }, permissionWords(each))));
}

/**
 * @param {import("../main.js").Context} context
 * @param {string} path
 * @param {import("../api.js").Answer} answer
 */
async function edit(context, path, answer) {
  const { api, router } = context;
  let { data: found, etag } = answer;
  const states = [
    { value: "true", label: "Active" },
    { value: "false", label: "Inactive: its requests are refused" },
  ];
  return card(
    "Edit",
    form({
      fields: [
        textField({ name: "name", label: "Name", value: found.name, maxlength: 200 }),
        textField({ name: "description", label: "Description", value: found.description, optional: true }),
        selectField({ name: "is_active", label: "State", value: String(found.is_active), options: states }),
        ...grantFields(await readNames(api), found),
        metadataField(found.metadata),
      ],
      wide: true,
      submit: "Save",
      working: "Saving…",
      current: async () => {
        ({ data: found, etag } = await api.get(path));
        return { ...found, is_active: String(found.is_active) };
      },
      who: () => whoWasFaster(context, found.id),
      send: async (values) => {
        const body = {
          ...values,
          is_active: values.is_active === "true",
          metadata: mergePatch(found.metadata, values.metadata),
        };
        await api.request("PATCH", path, { body, ifMatch: etag });
        router.replace(location.pathname + location.search);
        announce("Saved.");
      },
    }),
    { explanation: "Changes hold from its next request on." },
  );
}

/**
 * @param {import("../main.js").Context} context
 * @param {string} path
 * @param {ServiceAccount} found
 */
function end({ api, router }, path, found) {
  const ask = () =>
    confirmDialog({
      title: "Delete the service account?",
      consequences: h(
        "p",
        {},
        text(found.name),
        " goes away with all its keys: the next request with any of them is refused. Last used: ",
        time(found.last_used_at),
        ".",
      ),
      action: "Delete",
      working: "Deleting…",
      run: async () => {
        await api.request("DELETE", path);
        router.replace("/portal/service-accounts");
        announce("The service account is deleted, and its keys are revoked.");
      },
    });
  return card("Delete", h("div", {}, button("Delete the service account…", { kind: "danger", onclick: ask })), {
    danger: true,
    explanation: "Its keys are revoked at once. To stop it for a while, make it inactive instead.",
  });
}
