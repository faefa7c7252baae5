/** The token of a mail's link: taken out of the address at once, so that it stays in no history. */

import { linkButton } from "../shared/button.js";
import { notice } from "../shared/states.js";
import { narrowPage } from "../shared/page.js";

/** @param {URLSearchParams} query */
export function takeToken(query) {
  const token = query.get("token");
  if (token) {
    history.replaceState(null, "", location.pathname);
  }
  return token;
}

/** @param {string} title */
export function withoutToken(title) {
  return narrowPage(
    title,
    null,
    notice("This page needs the link from the mail. Open it there, or copy its whole address.", "warning"),
    linkButton("Sign in", "/sign-in"),
  );
}
