/** Form fields: a label, a control, a hint, an error. */

import { button } from "./button.js";
import { fill, h, newId } from "./dom.js";

/**
 * @typedef {object} Field
 * @property {string} name the member of the request's body
 * @property {HTMLElement} element
 * @property {() => any} read
 * @property {(value: any) => void} write
 * @property {(message: string | null) => void} fail
 * @property {() => void} focus
 * @property {string} label
 */

/**
 * @typedef {object} TextOptions
 * @property {string} name
 * @property {string} label
 * @property {string} [value]
 * @property {import("./dom.js").Child} [hint]
 * @property {boolean} [autofocus] in a dialog
 * @property {"text" | "email" | "password" | "datetime-local" | "number" | "area"} [type]
 * @property {string} [autocomplete]
 * @property {boolean} [optional] an empty text is allowed
 * @property {boolean} [mono]
 * @property {boolean} [readonly]
 * @property {number} [minlength] in characters (code points)
 * @property {number} [maxlength] likewise
 * @property {(text: string) => any} [parse]
 * @property {(value: any) => string} [format]
 */

/**
 * A field of text.
 *
 * @param {TextOptions} options
 * @returns {Field}
 */
export function textField({ name, label, value = "", hint, type = "text", optional, parse, format, ...rest }) {
  const id = newId();
  const attributes = {
    id,
    name,
    class: rest.mono ? "input mono" : "input",
    autocomplete: rest.autocomplete ?? "off",
    autocapitalize: "none",
    spellcheck: "false",
    dir: "auto",
    readonly: rest.readonly,
    autofocus: rest.autofocus,
    "aria-required": optional ? undefined : "true",
  };
  const control =
    type === "area" ? h("textarea", { ...attributes, rows: 4 }) : h("input", { ...attributes, type, value });
  if (type === "area") {
    control.value = value;
  }
  const inner = type === "password" ? h("div", { class: "with-button" }, control, reveal(control, label)) : control;
  const parts = described({ id, label, hint, optional, control, inner });
  return {
    name,
    label,
    element: parts.element,
    read: () => {
      const given = type === "password" ? control.value : control.value.trim();
      if (given === "" && !optional) {
        throw new Invalid(`Enter ${phrase(label)}.`);
      }
      const length = [...given].length;
      if (rest.minlength && length < rest.minlength) {
        throw new Invalid(`Enter at least ${rest.minlength} characters.`);
      }
      if (rest.maxlength && length > rest.maxlength) {
        throw new Invalid(`Enter at most ${rest.maxlength} characters; these are ${length}.`);
      }
      return parse ? parse(given) : given;
    },
    write: (given) => {
      control.value = format ? format(given) : String(given ?? "");
    },
    fail: parts.fail,
    focus: () => control.focus(),
  };
}

/**
 * A choice of one.
 *
 * @param {{name: string, label: string, value?: string | null, hint?: string,
 *   options: {value: string, label: string}[]}} options
 * @returns {Field}
 */
export function selectField({ name, label, value, hint, options }) {
  const id = newId();
  const control = h("select", { id, name, class: "input" });
  for (const option of options) {
    control.append(h("option", { value: option.value }, option.label));
  }
  control.value = value ?? options[0]?.value ?? "";
  const parts = described({ id, label, hint, control, inner: control });
  return {
    name,
    label,
    element: parts.element,
    read: () => control.value,
    write: (given) => {
      control.value = given ?? "";
    },
    fail: parts.fail,
    focus: () => control.focus(),
  };
}

/**
 * A choice of several, in groups; what cannot be chosen says why.
 *
 * @typedef {{value: string, label: import("./dom.js").Child, why?: string, disabled?: boolean}} Choice
 *
 * @param {{name: string, label: string, value: string[], hint?: string,
 *   groups: {label?: string, choices: Choice[]}[]}} options
 * @returns {Field}
 */
export function choicesField({ name, label, value, hint, groups }) {
  const [hintId, errorId] = [newId(), newId()];
  const error = h("p", { class: "error", id: errorId });
  /** @type {HTMLInputElement[]} */
  const boxes = [];
  const box = (/** @type {Choice} */ choice) => {
    const [id, why] = [newId(), newId()];
    const input = h("input", {
      id,
      type: "checkbox",
      value: choice.value,
      disabled: choice.disabled,
      "aria-describedby": choice.why ? why : undefined,
    });
    input.checked = value.includes(choice.value);
    boxes.push(input);
    return h(
      "div",
      { class: "choice" },
      input,
      h("label", { for: id }, choice.label),
      choice.why && h("p", { class: "why", id: why }, choice.why),
    );
  };
  const element = h(
    "fieldset",
    { class: "field", "aria-describedby": `${hintId} ${errorId}` },
    h("legend", {}, label),
    hint ? h("p", { class: "hint", id: hintId }, hint) : h("span", { id: hintId, hidden: true }),
    h(
      "div",
      { class: groups.length > 1 && "groups" },
      groups.map((group) =>
        h(
          "div",
          { class: "choices", role: "group", "aria-label": group.label ?? label },
          group.label && h("h3", {}, group.label),
          group.choices.map(box),
        ),
      ),
    ),
    error,
  );
  return {
    name,
    label,
    element,
    read: () => boxes.filter((input) => input.checked).map((input) => input.value),
    write: (given) => {
      for (const input of boxes) {
        input.checked = given.includes(input.value);
      }
    },
    fail: (message) => fill(error, message),
    focus: () => boxes.find((input) => !input.disabled)?.focus(),
  };
}

/** A value that the form refuses by itself. */
export class Invalid extends Error {}

/**
 * @param {{id: string, label: string, hint?: import("./dom.js").Child, optional?: boolean, control: HTMLElement, inner: HTMLElement}} of
 */
function described({ id, label, hint, optional, control, inner }) {
  const [hintId, errorId] = [newId(), newId()];
  const error = h("p", { class: "error", id: errorId });
  control.setAttribute("aria-describedby", hint ? `${hintId} ${errorId}` : errorId);
  const element = h(
    "div",
    { class: "field" },
    h("label", { for: id }, label, optional && h("span", { class: "optional" }, " (optional)")),
    inner,
    hint && h("p", { class: "hint", id: hintId }, hint),
    error,
  );
  const fail = (/** @type {string | null} */ message) => {
    fill(error, message);
    control.toggleAttribute("aria-invalid", false);
    if (message) {
      control.setAttribute("aria-invalid", "true");
    }
  };
  return { element, fail };
}

/**
 * @param {HTMLElement} control
 * @param {string} label
 */
function reveal(control, label) {
  const toggle = button("Show", {
    label: `Show ${label.toLowerCase()}`,
    onclick: () => {
      const hidden = control.getAttribute("type") === "password";
      control.setAttribute("type", hidden ? "text" : "password");
      toggle.setAttribute("aria-pressed", String(hidden));
    },
  });
  toggle.setAttribute("aria-pressed", "false");
  return toggle;
}

/** @param {string} label */
function phrase(label) {
  const words = label.charAt(0).toLowerCase() + label.slice(1);
  return /^(your|the|a|an|another|new|current) /.test(words) ? words : `the ${words}`;
}
