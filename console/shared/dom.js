/**
 * Makes elements. There is no way from text to markup here: children are nodes or text.
 *
 * @typedef {Node | string | number | false | null | undefined | Children} Child
 * @typedef {{readonly length: number, readonly [at: number]: Child}} Children a list
 * @typedef {string | number | boolean | null | undefined | ((event: any) => void)} Value
 */

/**
 * An element with attributes and children. `onclick: f` listens; `true` sets an empty attribute; `false`, `null`
 * and `undefined` set none; `value` is the property.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, Value>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    set(element, name, value);
  }
  element.append(...nodes(children));
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {string} name
 * @param {Value} value
 */
function set(element, name, value) {
  if (typeof value === "function") {
    element.addEventListener(name.slice(2), value);
  } else if (value === false || value === null || value === undefined) {
    element.removeAttribute(name);
  } else if (name === "value" && "value" in element) {
    element.value = String(value);
  } else if (name === "href" && !/^(\/(?!\/)|#|https?:\/\/|blob:)/.test(String(value))) {
    throw new TypeError("a link leads to a path, an http address or a blob");
  } else {
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * @param {Child[]} children
 * @returns {(Node | string)[]}
 */
function nodes(children) {
  return children.flatMap((child) => {
    if (child === false || child === null || child === undefined) {
      return [];
    }
    if (Array.isArray(child)) {
      return nodes(child);
    }
    return [child instanceof Node ? child : String(child)];
  });
}

/**
 * Puts these in the place of an element's children.
 *
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
}

let last = 0;

/** An id that no other element has. */
export function newId() {
  last += 1;
  return `id-${last}`;
}
