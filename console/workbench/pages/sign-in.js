/** Signing in, and back to where one was. */

import { narrowPage } from "../../shared/page.js";
import { HOME } from "../home.js";
import { signInForm } from "../reauthenticate.js";

/** @param {import("../main.js").Context} context */
export function show({ api, router, query }) {
  const target = query.get("return") ?? "";
  return narrowPage(
    "Sign in",
    "For operators and the security team: policies, decisions, and what would change.",
    signInForm({ api, done: () => router.replace(/^\/workbench\//.test(target) ? target : HOME) }),
  );
}
