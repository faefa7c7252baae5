/** The matrix of roles and permissions, by evaluation of the policies in force. */

import { h } from "../../shared/dom.js";
import { page } from "../../shared/page.js";
import { card, section } from "../../shared/states.js";
import { roleMatrix } from "../role-matrix.js";
import { work } from "../work.js";

/** @param {import("../main.js").Context} context */
export function show(context) {
  const progress = h("div", { class: "row" });
  const part = section(async () => {
    // The policies in force against themselves: the comparison tells what each role may do.
    const found = await work(context, "/policies/diff", { changes: {} }, progress, "Asking the policies about each role");
    return found === null ? h("p", { class: "muted" }, "Stopped.") : roleMatrix(found.roles);
  });
  return page(
    "Roles",
    "What a person or a service account with one role may do in an active organization of its own, if nothing else is given to it. Empty: cannot be asked.",
    card("Roles and permissions", [progress, part.element]),
  );
}
