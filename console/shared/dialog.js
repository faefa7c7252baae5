/** Dialogs: the browser's own, which keep the focus inside and close on Escape. */

import { button } from "./button.js";
import { fill, h, newId } from "./dom.js";
import { Invalid, textField } from "./field.js";
import { form } from "./form.js";

/**
 * Opens a dialog. `content` gets a function that closes it.
 *
 * @param {string} title
 * @param {(close: () => void) => import("./dom.js").Child} content
 * @param {{onclose?: () => void, keepOpen?: boolean}} [options] `keepOpen`: Escape does not close it
 * @returns {HTMLDialogElement}
 */
export function openDialog(title, content, { onclose, keepOpen = false } = {}) {
  const id = newId();
  const opener = document.activeElement;
  const dialog = h("dialog", {
    class: "dialog",
    "aria-labelledby": id,
    oncancel: (/** @type {Event} */ event) => keepOpen && event.preventDefault(),
    onclose: () => {
      dialog.remove();
      if (opener instanceof HTMLElement && opener.isConnected) {
        opener.focus();
      }
      onclose?.();
    },
  });
  fill(dialog, h("div", { class: "inside" }, h("h2", { id }, title), content(() => dialog.close())));
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
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
        beside: cancel,
        send: async () => {
          await run();
          close();
        },
      }),
    ];
  });
}
