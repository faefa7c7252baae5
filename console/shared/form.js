/** Forms: what was entered stays whatever the answer is, and each error stands at its field. */

import { busy, button } from "./button.js";
import { fill, h } from "./dom.js";
import { ApiError, AwayError, errorNotice } from "./errors.js";
import { Invalid } from "./field.js";
import { CLASH, merged, same } from "./merge.js";
import { text } from "./text.js";
import { markSaved, markUnsaved } from "./unsaved.js";

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
 * @property {() => Promise<Record<string, any>>} [current] reads the values as they are now, for one who was slower; what
 *   is sent next is sent as a change of these
 * @property {() => Promise<import("./dom.js").Child>} [who] says who was faster
 */

const KEPT = "What you entered is kept.";
const KEPT_AND_PERHAPS_DONE = `${KEPT} It may have been done all the same: look before you send it again.`;

/**
 * @param {FormOptions} options
 * @returns {HTMLFormElement}
 */
export function form({ fields, submit, working = "Working…", kind = "primary", send, before, beside, wide, guarded = true, current, who }) {
  const result = h("div", { class: "result" });
  let base = snapshot(fields);
  const press = button(submit, { kind, type: "submit" });
  const element = h(
    "form",
    {
      class: wide ? "form form-wide" : "form",
      novalidate: true,
      oninput: () => guarded && markUnsaved(element),
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
      await sendOver(values);
      base = values;
      markSaved(element);
    } catch (error) {
      showError(error);
    }
    const notice = result.querySelector("[role=alert]");
    if (notice instanceof HTMLElement) {
      notice.tabIndex = -1;
      notice.focus();
    }
  }

  /**
   * Sends, and again where what somebody else changed meanwhile is not in this form.
   *
   * @param {Record<string, any>} values
   */
  async function sendOver(values) {
    for (;;) {
      try {
        await send(values);
        return;
      } catch (error) {
        if (!(error instanceof ApiError && error.isConflict && current)) {
          throw error;
        }
        const theirs = await current();
        const changes = changesOf(fields, base, theirs, values);
        base = { ...base, ...theirs };
        if (changes.length > 0 || fields.length === 0) {
          throw new Conflict(changes, await who?.());
        }
      }
    }
  }

  /** @param {unknown} error */
  function showError(error) {
    if (error instanceof Conflict) {
      fill(result, conflictNotice(error, submit));
    } else if (!(error instanceof ApiError && atFields(fields, error) === "shown")) {
      fill(result, errorNotice(error, error instanceof AwayError && h("p", {}, guarded ? KEPT_AND_PERHAPS_DONE : KEPT)));
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
    const at = fields.filter((each) => `${detail.field}/`.startsWith(`/${each.name}/`));
    const field = at.sort((one, other) => other.name.length - one.name.length)[0];
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
 * The values as the fields show them; of what cannot be sent, nothing.
 *
 * @param {Field[]} fields
 */
function snapshot(fields) {
  /** @type {Record<string, any>} */
  const values = {};
  for (const field of fields) {
    try {
      values[field.name] = field.read();
    } catch (error) {
      if (!(error instanceof Invalid)) {
        throw error;
      }
    }
  }
  return values;
}

/** @typedef {{field: Field, theirs: any, isTaken: boolean}} Change `isTaken`: it is in the field already */

/** Somebody else changed meanwhile what this form shows. */
class Conflict extends Error {
  /**
   * @param {Change[]} changes
   * @param {import("./dom.js").Child} who
   */
  constructor(changes, who) {
    super("changed meanwhile");
    this.changes = changes;
    this.who = who;
  }
}

/**
 * What somebody else changed in these fields. What does not contradict what was entered is put into them.
 *
 * @param {Field[]} fields
 * @param {Record<string, any>} base
 * @param {Record<string, any>} theirs
 * @param {Record<string, any>} mine
 * @returns {Change[]}
 */
function changesOf(fields, base, theirs, mine) {
  const changed = fields.filter(({ name }) => name in theirs && !same(theirs[name], base[name]) && !same(theirs[name], mine[name]));
  return changed.map((field) => {
    const both = merged(base[field.name], theirs[field.name], mine[field.name]);
    if (both !== CLASH) {
      field.write(both);
    }
    return { field, theirs: theirs[field.name], isTaken: both !== CLASH };
  });
}

/**
 * @param {Conflict} conflict
 * @param {string} submit
 */
function conflictNotice({ changes, who }, submit) {
  const take = (/** @type {Change} */ { field, theirs }) =>
    button("Take theirs", {
      small: true,
      label: `Take theirs: ${field.label}`,
      onclick: (event) => {
        field.write(theirs);
        if (event.currentTarget instanceof HTMLElement) {
          event.currentTarget.parentElement?.remove();
        }
      },
    });
  const clashes = changes.some((change) => !change.isTaken);
  return h(
    "div",
    { class: "notice notice-warning", role: "alert" },
    h("strong", {}, "Somebody else changed this meanwhile"),
    who && h("p", {}, who),
    h("p", {}, clashes ? `What you entered is kept. Press “${submit}” again to overwrite their change.` : `Look at it, and press “${submit}” again.`),
    changes.map((change) =>
      change.isTaken
        ? h("p", {}, `${change.field.label}: their change is below, beside yours.`)
        : h("p", { class: "row" }, `${change.field.label} is now `, text(plain(change.theirs), "empty"), take(change)),
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
