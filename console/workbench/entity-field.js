/** Fields for a record by type and id, and for a permission with suggestions. */

import { fill, h, newId } from "../shared/dom.js";
import { Invalid, selectField, textField } from "../shared/field.js";

/**
 * @param {string} name the member of the request's body
 * @param {string} label
 * @param {string[]} types
 * @param {URLSearchParams} query prefilled from it
 * @param {{optional?: boolean, typed?: boolean, seen?: Promise<Map<string, Set<string>>>}} [options] `typed`: without an
 *   id it is the type alone; `seen`: ids by type, suggested
 * @returns {import("../shared/field.js").Field}
 */
export function entityField(name, label, types, query, { optional, typed, seen } = {}) {
  const type = selectField({
    name: `${name}.type`,
    label: `${label} type`,
    value: query.get(`${name}.type`),
    options: types.map((each) => ({ value: each, label: each })),
  });
  const id = textField({ name: `${name}.id`, label: `${label} id`, value: query.get(`${name}.id`) ?? "", optional: optional || typed, mono: true });
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
      return given !== "" ? { type: type.read(), id: given } : typed ? { type: type.read() } : undefined;
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
 * A choice of a type without an id.
 *
 * @param {string} name
 * @param {string} label
 * @param {string[]} types
 * @param {URLSearchParams} query
 * @returns {import("../shared/field.js").Field}
 */
export function typeField(name, label, types, query) {
  const field = selectField({ name, label, value: query.get(`${name}.type`) ?? types[0], options: types.map((each) => ({ value: each, label: each })) });
  return { ...field, read: () => ({ type: field.read() }) };
}

/**
 * An object as JSON; nothing if it is empty.
 *
 * @param {string} name the member of the request's body, or its path there
 * @param {string} label
 * @param {string | null} value
 * @param {string} [hint]
 * @returns {import("../shared/field.js").Field}
 */
export function objectField(name, label, value, hint) {
  return textField({
    name,
    label,
    value: value ?? "",
    hint,
    type: "area",
    optional: true,
    mono: true,
    parse: (given) => (given === "" ? undefined : object(given)),
    format: (given) => (given ? JSON.stringify(given) : ""),
  });
}

/** @param {string} given */
function object(given) {
  let value;
  try {
    value = JSON.parse(given);
  } catch {
    throw new Invalid('Enter JSON, such as {"status": "active"}.');
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Invalid('Enter an object, such as {"status": "active"}.');
  }
  return value;
}

/**
 * @param {string[]} permissions
 * @param {URLSearchParams} query
 * @param {{optional?: boolean, label?: string}} [options]
 * @returns {import("../shared/field.js").Field}
 */
export function permissionField(permissions, query, { optional, label = "Permission" } = {}) {
  const list = newId();
  const field = textField({
    name: "action",
    label,
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
