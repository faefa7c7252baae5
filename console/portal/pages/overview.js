/** Where one arrives: the organization, one's own part in it, what to do next. */

import { badge } from "../../shared/button.js";
import { h } from "../../shared/dom.js";
import { card, section } from "../../shared/states.js";
import { pairs } from "../../shared/table.js";
import { code, permissionWords, text } from "../../shared/text.js";
import { time } from "../../shared/time.js";
import { page } from "../../shared/page.js";
import { readRoles, roleAccess } from "../role-access.js";

/** @param {import("../main.js").Context} context */
export function show({ api, session }) {
  const { me } = session;
  const { organization } = me;
  const limit = new Intl.NumberFormat("en").format(organization.monthlyDocLimit);
  return page(
    "Overview",
    null,
    card(
      "Organization",
      pairs([
        ["Name", text(organization.name)],
        ["Slug", code(organization.slug)],
        ["State", organization.isActive ? badge("Active", "good") : badge("Deactivated", "bad")],
        ["Plan", [organization.planTier, h("span", { class: "muted" }, ` – ${limit} documents a month`)]],
        ["Since", time(organization.createdAt)],
      ]),
    ),
    card(
      "You",
      pairs([
        ["E-mail", text(me.email)],
        ["Role", text(me.role)],
      ]),
    ),
    card("What you may do", section(() => allowed(api, me)).element, { explanation: "As policy answers now." }),
    session.can("service-accounts:CreateServiceAccount") && firstSteps(),
  );
}

/**
 * What one's role may do here, to accounts, programs and people too. Where less holds for the moment, that.
 *
 * @param {import("../api.js").Api} api
 * @param {import("../session.js").Me} me
 */
async function allowed(api, { role, permissions, emailVerified, organization }) {
  if (!emailVerified || !organization.isActive || !permissions.includes("team:ListMembers")) {
    return permissionList(permissions);
  }
  const found = (await readRoles(api)).find((each) => each.name === role);
  return found ? roleAccess(found, "h3") : permissionList(permissions);
}

/** @param {string[]} permissions */
function permissionList(permissions) {
  return h(
    "ul",
    { class: "permissions" },
    permissions.map((permission) => h("li", { title: permission }, permissionWords(permission))),
  );
}

function firstSteps() {
  const link = (/** @type {string} */ href, /** @type {string} */ words) => h("a", { href }, words);
  return card(
    "Let a program in",
    h(
      "ol",
      { class: "steps" },
      h("li", {}, link("/portal/service-accounts/new", "Make a service account"), " with the permissions that it needs."),
      h("li", {}, "Make a key for it. Its secret is shown once, with lines to copy for a shell, Python and TypeScript."),
      h("li", {}, "Send a signed request. ", link("/docs", "The API's description"), " has the rest."),
    ),
  );
}
