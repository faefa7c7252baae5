/** Dialogs: the browser's own, which keep the focus inside and close on Escape. */

import { button } from "./button.js";
import { fill, h, newId } from "./dom.js";
import { Invalid, textField } from "./field.js";
import { focusMark, refocus } from "./focus.js";
import { form } from "./form.js";
import { statusIn } from "./status.js";
import { hasUnsaved, markUnsaved } from "./unsaved.js";

/**
 * Opens a dialog. `content` gets a function that closes it. Escape asks first if something is entered.
 *
 * @param {string} title
 * @param {(close: () => void) => import("./dom.js").Child} content
 * @param {{onclose?: () => void, keepOpen?: boolean}} [options] `keepOpen`: Escape does not close it
 * @returns {HTMLDialogElement}
 */
export function openDialog(title, content, { onclose, keepOpen = false } = {}) {
  const id = newId();
  const opener = focusMark();
  const status = h("div", { class: "status", role: "status" });
  const leaveStatus = statusIn(status);
  const listening = new AbortController();
  /** @param {Event} event a wish to close it */
  const mayClose = (event) => {
    if (keepOpen || hasUnsaved(dialog)) {
      event.preventDefault();
    }
    if (!keepOpen && hasUnsaved(dialog)) {
      askToLeave(() => dialog.close());
    }
  };
  const dialog = h("dialog", {
    class: "dialog",
    "aria-labelledby": id,
    closedby: keepOpen && "none",
    oncancel: (/** @type {Event} */ event) => event.target === dialog && mayClose(event),
    onclose: () => {
      listening.abort();
      dialog.remove();
      leaveStatus();
      refocus(opener);
      onclose?.();
    },
  });
  // A second `cancel` cannot be prevented; the key can.
  const onkeydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape" && topmost() === dialog) {
      mayClose(event);
    }
  };
  document.addEventListener("keydown", onkeydown, { capture: true, signal: listening.signal });
  if (keepOpen) {
    markUnsaved(dialog);
  }
  fill(dialog, h("div", { class: "inside" }, h("h2", { id }, title), content(() => dialog.close())), status);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

function topmost() {
  return [...document.querySelectorAll("dialog[open]")].at(-1);
}

/** Those of a page that is left. */
export function closeDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.close();
  }
}

/** @type {HTMLDialogElement | null} */
let asking = null;

/**
 * Asks before something entered is lost.
 *
 * @param {() => void} go
 */
export function askToLeave(go) {
  if (asking?.open) {
    return;
  }
  const secret = document.querySelector("dialog[closedby=none]");
  asking = openDialog(
    "Leave without saving?",
    (close) => [
      h("p", {}, secret ? "The secret is shown this once." : "What you entered is not saved."),
      h(
        "div",
        { class: "buttons" },
        button("Stay", { onclick: close }),
        button("Leave", {
          kind: "danger",
          onclick: () => {
            close();
            go();
          },
        }),
      ),
    ],
  );
}

/**
 * Asks before something is done that cannot be undone. With `typed`, that text must be typed.
 *
 * @param {object} options
 * @param {string} options.title
 * @param {import("./dom.js").Child} options.consequences
 * @param {string} options.action
 * @param {string} [options.working]
 * @param {{label: string, text: string, hint: import("./dom.js").Child}} [options.typed]
 * @param {() => Promise<void>} options.run
 */
export function confirmDialog({ title, consequences, action, working, typed, run }) {
  openDialog(title, (close) => {
    const field =
      typed &&
      textField({
        name: "typed",
        label: typed.label,
        hint: typed.hint,
        parse: (given) => {
          if (given.normalize("NFC") !== typed.text.trim().normalize("NFC")) {
            throw new Invalid("That is not the name.");
          }
          return given;
        },
      });
    // Whoever presses Enter at once has done nothing.
    const cancel = button("Cancel", { onclick: close });
    cancel.autofocus = !field;
    return [
      h("div", { class: "stack" }, consequences),
      form({
        fields: field ? [field] : [],
        submit: action,
        working,
        kind: "danger",
        guarded: false,
        beside: cancel,
        send: async () => {
          await run();
          close();
        },
      }),
    ];
  });
}
