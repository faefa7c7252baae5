/** Forms: what was entered stays whatever the answer is, and each error stands at its field. */

import { busy, button } from "./button.js";
import { fill, h } from "./dom.js";
import { ApiError, AwayError, errorNotice } from "./errors.js";
import { Invalid } from "./field.js";
import { text } from "./text.js";

/**
 * @typedef {import("./field.js").Field} Field
 *
 * @typedef {object} FormOptions
 * @property {Field[]} fields
 * @property {string} submit
 * @property {string} [working] said on the button meanwhile
 * @property {"primary" | "danger"} [kind]
 * @property {(values: Record<string, any>) => Promise<void>} send
 * @property {() => void} [before] done at each attempt, whatever comes of it
 * @property {import("./dom.js").Child} [beside] beside the button
 * @property {boolean} [wide] lets groups of choices stand side by side
 * @property {boolean} [guarded] false: leaving the page with something entered needs no question
 * @property {() => Promise<Record<string, any>>} [current] reads the values as they are now, for one who was slower
 * @property {() => Promise<import("./dom.js").Child>} [who] says who was faster
 */

/** Forms with something entered that is not sent. */
const dirty = new Set();

/** Whether leaving the page would lose something. */
export function hasUnsaved() {
  for (const form of dirty) {
    if (!form.isConnected) {
      dirty.delete(form);
    }
  }
  return dirty.size > 0;
}

addEventListener("beforeunload", (event) => {
  if (hasUnsaved()) {
    event.preventDefault();
  }
});

/**
 * @param {FormOptions} options
 * @returns {HTMLFormElement}
 */
export function form({ fields, submit, working = "Working…", kind = "primary", send, before, beside, wide, guarded = true, current, who }) {
  const result = h("div", { class: "result" });
  const press = button(submit, { kind, type: "submit" });
  const element = h(
    "form",
    {
      class: wide ? "form form-wide" : "form",
      novalidate: true,
      oninput: () => guarded && dirty.add(element),
      onsubmit: (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        busy(press, working, attempt);
      },
    },
    result,
    fields.map((field) => field.element),
    h("div", { class: "row" }, press, beside),
  );

  async function attempt() {
    fill(result);
    before?.();
    fields.forEach((field) => field.fail(null));
    const values = readAll(fields);
    if (values === null) {
      return;
    }
    try {
      await send(values);
      dirty.delete(element);
    } catch (error) {
      await showError(error, values);
    }
  }

  /**
   * @param {unknown} error
   * @param {Record<string, any>} values
   */
  async function showError(error, values) {
    const left = error instanceof ApiError ? atFields(fields, error) : null;
    if (error instanceof ApiError && error.isConflict && current) {
      fill(result, conflict(fields, await current(), values, await who?.()));
    } else if (left !== "shown") {
      fill(result, errorNotice(error, error instanceof AwayError && h("p", {}, "What you entered is kept.")));
    }
    const notice = result.querySelector("[role=alert]");
    if (notice instanceof HTMLElement) {
      notice.tabIndex = -1;
      notice.focus();
    }
  }

  return element;
}

/**
 * @param {Field[]} fields
 * @returns {Record<string, any> | null}
 */
function readAll(fields) {
  /** @type {Record<string, any>} */
  const values = {};
  /** @type {Field | null} */
  let broken = null;
  for (const field of fields) {
    try {
      values[field.name] = field.read();
    } catch (error) {
      if (!(error instanceof Invalid)) {
        throw error;
      }
      field.fail(error.message);
      broken ??= field;
    }
  }
  broken?.focus();
  return broken ? null : values;
}

/**
 * Puts an answer's details to their fields. `shown` if nothing is left to say.
 *
 * @param {Field[]} fields
 * @param {ApiError} error
 */
function atFields(fields, error) {
  let shown = 0;
  /** @type {Field | null} */
  let first = null;
  for (const detail of error.details) {
    const field = fields.find((each) => `${detail.field}/`.startsWith(`/${each.name}/`));
    if (field) {
      field.fail(detail.message);
      first ??= field;
      shown += 1;
    }
  }
  if (first === null || shown < error.details.length) {
    return "left";
  }
  first.focus();
  return "shown";
}

/**
 * Somebody was faster: what they made of it, beside what was entered here.
 *
 * @param {Field[]} fields
 * @param {Record<string, any>} theirs
 * @param {Record<string, any>} mine
 * @param {import("./dom.js").Child} who
 */
function conflict(fields, theirs, mine, who) {
  const same = (/** @type {Field} */ field) => JSON.stringify(theirs[field.name]) === JSON.stringify(mine[field.name]);
  const differing = fields.filter((field) => field.name in theirs && !same(field));
  const take = (/** @type {Field} */ field) =>
    button("Take theirs", {
      small: true,
      label: `Take theirs: ${field.label}`,
      onclick: (event) => {
        field.write(theirs[field.name]);
        if (event.currentTarget instanceof HTMLElement) {
          event.currentTarget.parentElement?.remove();
        }
      },
    });
  return h(
    "div",
    { class: "notice notice-warning", role: "alert" },
    h("strong", {}, "Somebody else changed this meanwhile"),
    who && h("p", {}, who),
    h("p", {}, "What you entered is kept. Save again to overwrite their change."),
    differing.map((field) =>
      h("p", { class: "row" }, `${field.label} is now `, text(plain(theirs[field.name]), "empty"), take(field)),
    ),
  );
}

/** @param {any} value */
function plain(value) {
  if (Array.isArray(value)) {
    return value.join(", ");
  }
  return value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
}
