/** Where one arrives: what there is, what was done lately, what to do next, and one's own part in it. */

import { badge } from "../../shared/button.js";
import { h } from "../../shared/dom.js";
import { card, empty, section } from "../../shared/states.js";
import { pairs, table } from "../../shared/table.js";
import { code, permissionWords, text } from "../../shared/text.js";
import { time } from "../../shared/time.js";
import { page } from "../../shared/page.js";
import { Names } from "../names.js";
import { readRoles, roleAccess } from "../role-access.js";

const SOON_DAYS = 30;
const LATEST = 6;
/** Read to find as many changes among the sign-ins. */
const READ = 100;
const SESSIONS = new Set(["person.SignIn", "person.SignOut"]);

/** @param {import("../main.js").Context} context */
export function show(context) {
  const { api, session } = context;
  const { me } = session;
  const { organization } = me;
  const limit = new Intl.NumberFormat("en").format(organization.monthlyDocLimit);
  return page(
    "Overview",
    null,
    section(async () => h("div", { class: "figures" }, await Promise.all(figures(context)))).element,
    session.can("service-accounts:CreateServiceAccount") && firstSteps(),
    h(
      "div",
      { class: "figures" },
      card(
        "Organization",
        pairs([
          ["Name", text(organization.name)],
          ["Slug", code(organization.slug)],
          ["State", organization.isActive ? badge("Active", "good") : badge("Deactivated", "bad")],
          ["Plan", [organization.planTier, h("span", { class: "muted" }, ` – ${limit} documents a month`)]],
          ["Created", time(organization.createdAt)],
        ]),
      ),
      card(
        "You",
        pairs([
          ["E-mail", text(me.email)],
          ["Role", text(me.role)],
        ]),
      ),
    ),
    session.can("audit:ListEvents") && latest(context),
    card("What you may do", section(() => allowed(api, me)).element, { explanation: "By the policies in force." }),
  );
}

/**
 * How many there are of what this person may list.
 *
 * @param {import("../main.js").Context} context
 */
function figures({ api, session, signal }) {
  const total = async (/** @type {string} */ path, /** @type {Record<string, number>} */ query = {}) =>
    (await api.get(path, { query: { ...query, quantity: 1 }, signal })).data.total;
  const soon = { expires_within_days: SOON_DAYS };
  return [
    session.can("team:ListMembers") &&
      figure("Members", "/portal/team", async () => (await api.get("/api/portal/team", { signal })).data.length),
    session.can("service-accounts:ListServiceAccounts") &&
      figure("Service accounts", "/portal/service-accounts", () => total("/service-accounts")),
    session.can("service-accounts:ListKeys") && figure("Active keys", "/portal/keys", () => total("/keys")),
    session.can("service-accounts:ListKeys") &&
      figure(`Keys that expire in ${SOON_DAYS} days`, `/portal/keys?${new URLSearchParams({ expires_within_days: String(SOON_DAYS) })}`, () => total("/keys", soon)),
  ];
}

/**
 * @param {string} label
 * @param {string} href
 * @param {() => Promise<number>} read
 */
async function figure(label, href, read) {
  const count = new Intl.NumberFormat("en").format(await read());
  return h("a", { class: "card figure", href }, h("span", { class: "figure-count" }, count), h("span", { class: "muted" }, label));
}

/** @param {import("../main.js").Context} context */
function latest(context) {
  const { api, signal } = context;
  const names = new Names(context);
  const list = section(async () => {
    // With the names at once: those that came later would move the columns.
    const [{ data }] = await Promise.all([api.get("/audit-events", { query: { limit: READ }, signal }), names.list]);
    const changes = data.results.filter((/** @type {any} */ event) => !SESSIONS.has(event.action)).slice(0, LATEST);
    if (changes.length === 0) {
      return empty("Nothing was changed yet");
    }
    return table({
      caption: "Latest changes",
      rows: changes,
      columns: [
        { title: "Action", cell: (/** @type {any} */ event) => permissionWords(event.action) },
        { title: "By", cell: (event) => names.show(event.actor) },
        { title: "When", cell: (event) => time(event.at) },
      ],
    });
  });
  return card("Latest changes", list.element, { action: h("a", { href: "/portal/audit-events" }, "All audit events") });
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
    "Connect a program",
    h(
      "ol",
      { class: "steps" },
      h("li", {}, link("/portal/service-accounts/new", "Create a service account"), " with the permissions that it needs."),
      h("li", {}, "Create a key for it. Its secret is shown once, with lines to copy for a shell, Python and TypeScript."),
      h("li", {}, "Send a signed request. ", link("/docs", "The API's description"), " has the rest."),
    ),
  );
}
