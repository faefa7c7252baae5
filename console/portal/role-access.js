/** What a person of a role may do in this organization, by evaluation of its policies. */

import { fill, h } from "../shared/dom.js";
import { code, permissionWords, text } from "../shared/text.js";
import { byGroup } from "./permission-groups.js";

/**
 * @typedef {{name: string, except: string[]}} RolePermission
 * @typedef {{name: string, permissions: RolePermission[]}} Role
 */

/**
 * @param {import("./api.js").Api} api
 * @returns {Promise<Role[]>}
 */
export async function readRoles(api) {
  const { data } = await api.get("/api/portal/team/roles");
  return data;
}

/**
 * Whether a person of that role may do this to what has that name, such as a person of another role.
 *
 * @param {Role[]} roles
 * @param {string} role
 * @param {string} permission
 * @param {string} about
 */
export function roleMay(roles, role, permission, about) {
  const found = roles.find((each) => each.name === role)?.permissions.find((each) => each.name === permission);
  return found !== undefined && !found.except.includes(about);
}

/**
 * @param {Role} role
 * @param {"h3" | "h4"} level of the groups' headings
 */
export function roleAccess(role, level) {
  if (role.permissions.length === 0) {
    return h("p", { class: "muted" }, "Policy allows it nothing here.");
  }
  return h(
    "div",
    { class: "role-access" },
    byGroup(role.permissions).map(([label, permissions]) =>
      h("div", {}, h(level, {}, label), h("ul", {}, permissions.map(line))),
    ),
  );
}

/** @param {RolePermission} permission */
function line({ name, except }) {
  const but = except.map((each, at) => [at > 0 && ", ", text(each)]);
  return h("li", { title: name }, permissionWords(name), except.length > 0 && h("span", { class: "muted" }, " (not: ", but, ")"));
}

/**
 * What the role that is chosen in a field may do.
 *
 * @param {import("../shared/field.js").Field} field of the role's name
 * @param {Role[]} roles
 */
export function accessOfChosen(field, roles) {
  const element = h("div", { class: "chosen-role", "aria-live": "polite" });
  const show = () => {
    const role = roles.find((each) => each.name === field.read());
    fill(element, role && [h("h3", {}, "What ", code(role.name), " may do"), roleAccess(role, "h4")]);
  };
  field.element.addEventListener("change", show);
  show();
  return element;
}

/** @param {Role[]} roles */
export function roleList(roles) {
  return h(
    "div",
    { class: "roles" },
    roles.map((role) =>
      h(
        "details",
        {},
        h("summary", {}, code(role.name), " ", h("span", { class: "muted" }, `${role.permissions.length} permissions`)),
        roleAccess(role, "h3"),
      ),
    ),
  );
}
