/** The matrix of roles and permissions, by evaluation of the policies in force. */

import { linkButton } from "../../shared/button.js";
import { h } from "../../shared/dom.js";
import { page } from "../../shared/page.js";
import { card, section } from "../../shared/states.js";
import { domains } from "../domains.js";
import { about } from "../places.js";
import { roleMatrix } from "../role-matrix.js";
import { work } from "../work.js";

/** @param {import("../main.js").Context} context */
export async function show(context) {
  const progress = h("div", { class: "row" });
  const part = section(async () => {
    // The policies in force against themselves: the comparison tells what each role may do.
    const found = await work(context, "/policies/diff", { changes: {} }, progress, "Asking the policies about each role");
    return found === null ? h("p", { class: "muted" }, "Stopped.") : roleMatrix(found.roles);
  });
  const others = await domains(context);
  return page(
    "Roles",
    "What a person or a service account with one role may do in an active organization of its own, if nothing else is given to it. Empty: cannot be asked.",
    card("Roles and permissions", [progress, part.element]),
    others.length > 0 &&
      card(
        "Domains",
        h("div", { class: "row" }, others.map(({ name }) => linkButton(name, about("/workbench/access", name), { small: true, label: `Who may, what may: ${name}` }))),
        { explanation: "A domain of your own has no roles that Charter knows: ask it who may do what." },
      ),
  );
}
