/** Fields for a record by type and id, and for a permission with suggestions. */

import { fill, h, newId } from "../shared/dom.js";
import { selectField, textField } from "../shared/field.js";

/**
 * @param {string} name the member of the request's body
 * @param {string} label
 * @param {string[]} types
 * @param {URLSearchParams} query prefilled from it
 * @param {{optional?: boolean, seen?: Promise<Map<string, Set<string>>>}} [options] `seen`: ids by type, suggested
 * @returns {import("../shared/field.js").Field}
 */
export function entityField(name, label, types, query, { optional, seen } = {}) {
  const type = selectField({
    name: `${name}.type`,
    label: `${label} type`,
    value: query.get(`${name}.type`),
    options: types.map((each) => ({ value: each, label: each })),
  });
  const id = textField({ name: `${name}.id`, label: `${label} id`, value: query.get(`${name}.id`) ?? "", optional, mono: true });
  const list = h("datalist", { id: newId() });
  id.element.querySelector("input")?.setAttribute("list", list.id);
  id.element.append(list);
  const suggest = () =>
    seen?.then((ids) => fill(list, [...(ids.get(type.read()) ?? [])].map((each) => h("option", { value: each }))));
  type.element.addEventListener("change", suggest);
  suggest();
  return {
    name,
    label,
    element: h("div", { class: "entity" }, type.element, id.element),
    read: () => {
      const given = id.read();
      return given === "" ? undefined : { type: type.read(), id: given };
    },
    write: (value) => {
      type.write(value?.type ?? types[0]);
      id.write(value?.id ?? "");
    },
    fail: (message) => id.fail(message),
    focus: () => id.focus(),
  };
}

/**
 * @param {string[]} permissions
 * @param {URLSearchParams} query
 * @param {{optional?: boolean}} [options]
 * @returns {import("../shared/field.js").Field}
 */
export function permissionField(permissions, query, { optional } = {}) {
  const list = newId();
  const field = textField({
    name: "action",
    label: "Permission",
    value: query.get("permission") ?? "",
    optional,
    mono: true,
    parse: (name) => (name === "" ? undefined : { name }),
    format: (value) => value?.name ?? "",
  });
  field.element.querySelector("input")?.setAttribute("list", list);
  field.element.append(h("datalist", { id: list }, permissions.map((name) => h("option", { value: name }))));
  return field;
}
