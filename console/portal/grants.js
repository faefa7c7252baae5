/** Roles and permissions to give to a service account: those that this person may give, the others with the reason. */

import { choicesField } from "../shared/field.js";
import { code, permissionWords } from "../shared/text.js";
import { byGroup } from "./permission-groups.js";

/**
 * @typedef {{name: string, grantable: boolean}} Name
 * @typedef {{roles: Name[], permissions: Name[]}} Names
 */

const NOT_YOURS = "Not yours to give: policy does not allow you to grant it.";

/**
 * @param {import("./api.js").Api} api
 * @returns {Promise<Names>}
 */
export async function readNames(api) {
  const { data } = await api.get("/permissions");
  return data;
}

/**
 * What it has already may stay, whoever may give it.
 *
 * @param {Names} names
 * @param {{roles: string[], permissions: string[]}} held
 */
export function grantFields(names, held) {
  const choice = (/** @type {Name} */ { name, grantable }, /** @type {string[]} */ has, /** @type {import("../shared/dom.js").Child} */ label) => ({
    value: name,
    label,
    disabled: !grantable && !has.includes(name),
    why: grantable ? undefined : NOT_YOURS,
  });
  const words = (/** @type {string} */ name) => [permissionWords(name), " ", code(name)];
  const permissions = choicesField({
    name: "permissions",
    label: "Permissions",
    value: held.permissions,
    hint: "What its signed requests may do, one by one. Give as few as it needs.",
    groups: byGroup(names.permissions).map(([label, group]) => ({
      label,
      choices: group.map((name) => choice(name, held.permissions, words(name.name))),
    })),
  });
  const roles = choicesField({
    name: "roles",
    label: "Roles",
    value: held.roles,
    hint: "Everything that policy allows the role, now and later. Most programs need none.",
    groups: [{ choices: names.roles.map((name) => choice(name, held.roles, name.name)) }],
  });
  return [permissions, roles];
}
