/** One decision by its id, which every refused request names. */

import { page } from "../../shared/page.js";
import { card, section } from "../../shared/states.js";
import { decisionDetails } from "../decision-details.js";

/** @param {import("../main.js").Context} context */
export function show(context) {
  const { id = "" } = context.params;
  return page("Decision", null, card("Explained", section(() => decisionDetails(context, id)).element));
}
