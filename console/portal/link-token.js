/**
 * The token of a mail's link: taken out of the address at once, so that nobody reads it there. This entry of the
 * history keeps it, so that the page can be loaded again.
 */

import { linkButton } from "../shared/button.js";
import { notice } from "../shared/states.js";
import { narrowPage } from "../shared/page.js";

/**
 * @param {URLSearchParams} query
 * @returns {string | undefined}
 */
export function takeToken(query) {
  const token = query.get("token");
  if (token) {
    history.replaceState({ ...history.state, token }, "", location.pathname);
  }
  return token ?? history.state?.token;
}

/** After it has been used. */
export function forgetToken() {
  const { token: _, ...rest } = history.state ?? {};
  history.replaceState(rest, "");
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
