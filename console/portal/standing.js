/** What stands over every page: an address to verify, an organization that is closed. */

import { button } from "../shared/button.js";
import { fill, h } from "../shared/dom.js";
import { errorNotice } from "../shared/errors.js";
import { notice } from "../shared/states.js";
import { announce } from "../shared/status.js";

/** @param {Pick<import("./main.js").Context, "api" | "session">} context */
export function standing({ api, session }) {
  const element = h("div", { class: "page standing" });
  if (!session.isOpen) {
    return null;
  }
  const { me } = session;
  if (!me.organization.isActive) {
    const words = "This organization is deactivated. You can look, but nobody can change anything; only an operator of this installation can reactivate it.";
    element.append(notice(words, "danger"));
  }
  if (!me.emailVerified) {
    const failed = h("div");
    const send = button("Send the mail again", {
      small: true,
      onclick: async () => {
        fill(failed);
        try {
          await api.request("POST", "/api/auth/resend-verification");
          announce("The mail is on its way.");
        } catch (error) {
          fill(failed, errorNotice(error));
        }
      },
    });
    const words = "Your e-mail address is not verified yet. Until you follow the link in the mail you can look, but not change anything.";
    element.append(notice(words, "warning", h("div", {}, send), failed));
  }
  return element.childElementCount > 0 && element;
}
