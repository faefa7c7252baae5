/** What fails where nobody waits for it, such as behind a button: said in a dialog. */

import { button } from "./button.js";
import { openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { ApiError, AwayError, SignedOutError, errorNotice } from "./errors.js";

export function showFailures() {
  addEventListener("unhandledrejection", (event) => {
    const error = event.reason;
    if (error instanceof SignedOutError || (error instanceof DOMException && error.name === "AbortError")) {
      event.preventDefault();
    } else if (error instanceof ApiError || error instanceof AwayError) {
      event.preventDefault();
      openDialog("That did not work", (close) => [
        errorNotice(error),
        h("div", { class: "buttons" }, button("Close", { kind: "primary", onclick: close })),
      ]);
    }
  });
}
