/** Signing in again over the page that one is on, so that nothing entered there is lost. */

import { button } from "./button.js";
import { openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { SignedOutError } from "./errors.js";
import { hasUnsaved } from "./unsaved.js";

/**
 * @param {(done: () => void, beside: HTMLElement) => HTMLElement} signInForm calls `done` when somebody has signed in
 * @param {() => void} leave done when nobody does
 * @returns {Promise<void>} rejects if nobody signs in
 */
export function askToSignIn(signInForm, leave) {
  return new Promise((resolve, reject) => {
    let isSignedIn = false;
    const content = (/** @type {() => void} */ close) => [
      h("p", {}, "Sign in to go on.", hasUnsaved() && " What you entered on this page is kept."),
      signInForm(() => {
        isSignedIn = true;
        close();
      }, button("Leave the page", { onclick: close })),
    ];
    openDialog("Your session has ended", content, {
      onclose: () => {
        if (isSignedIn) {
          resolve();
          return;
        }
        reject(new SignedOutError());
        leave();
      },
    });
  });
}
