/** The own person: password and sessions. */

import { badge, button } from "../../shared/button.js";
import { confirmDialog } from "../../shared/dialog.js";
import { h } from "../../shared/dom.js";
import { ApiError } from "../../shared/errors.js";
import { textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { card, section } from "../../shared/states.js";
import { announce } from "../../shared/status.js";
import { pairs, table } from "../../shared/table.js";
import { text } from "../../shared/text.js";
import { exactTime, time } from "../../shared/time.js";
import { newPasswordField } from "../fields.js";
import { page } from "../../shared/page.js";

/** @typedef {{id: string, createdAt: string, lastUsedAt: string, userAgent: string | null, current: boolean}} Open */

const SESSIONS = "/api/portal/sessions";

/** @param {import("../main.js").Context} context */
export function show(context) {
  const { me } = context.session;
  return page(
    "Profile",
    null,
    card(
      "You",
      pairs([
        ["E-mail", [text(me.email), " ", me.emailVerified ? badge("Verified", "good") : badge("Not verified", "warning")]],
        ["Role", text(me.role)],
        ["Member since", exactTime(me.createdAt)],
        ["Last signed in", exactTime(me.lastLoginAt)],
      ]),
    ),
    sessions(context),
    password(context),
  );
}

/** @param {import("../main.js").Context} context */
function sessions({ api, session, router }) {
  const list = section(async () => {
    /** @type {Open[]} */
    const open = (await api.get(SESSIONS)).data;
    return table({
      caption: "Sessions",
      rows: open,
      columns: [
        { title: "Browser", cell: (row) => [browser(row.userAgent), row.current && [" ", badge("This one", "good")]] },
        { title: "Signed in", cell: (row) => time(row.createdAt) },
        { title: "Last used", cell: (row) => time(row.lastUsedAt) },
        {
          title: "Actions",
          actions: true,
          cell: (row) =>
            !row.current &&
            button("End", {
              small: true,
              label: `End the session of ${browserName(row.userAgent)}`,
              onclick: async () => {
                await api.request("DELETE", `${SESSIONS}/${row.id}`);
                announce("The session has ended.");
                await list.reload();
              },
            }),
        },
      ],
    });
  });
  const everywhere = () =>
    confirmDialog({
      title: "Sign out everywhere?",
      consequences: h("p", {}, "All your sessions end at once, this one too."),
      action: "Sign out everywhere",
      run: async () => {
        const failure = await endOthers(api).catch((error) => error);
        await api.signOut();
        session.close();
        router.go("/sign-in");
        if (failure) {
          announce("Not every other session could be ended. Sign in, and try again.");
        }
      },
    });
  return card("Sessions", list.element, {
    explanation: "Where you are signed in. End what you do not recognize, and change your password.",
    action: button("Sign out everywhere…", { onclick: everywhere }),
  });
}

/**
 * Those that are open now. One that has ended meanwhile is what was wanted.
 *
 * @param {import("../api.js").Api} api
 */
async function endOthers(api) {
  const { data } = await api.get(SESSIONS);
  const others = data.filter((/** @type {Open} */ row) => !row.current);
  const ended = await Promise.allSettled(others.map((/** @type {Open} */ row) => api.request("DELETE", `${SESSIONS}/${row.id}`)));
  for (const each of ended) {
    if (each.status === "rejected" && !(each.reason instanceof ApiError && each.reason.status === 404)) {
      throw each.reason;
    }
  }
}

/** @param {import("../main.js").Context} context */
function password({ api, session, router }) {
  return card(
    "Change the password",
    form({
      fields: [
        textField({ name: "email", label: "E-mail", value: session.me.email, readonly: true, autocomplete: "username" }),
        textField({
          name: "currentPassword",
          label: "Current password",
          type: "password",
          autocomplete: "current-password",
        }),
        newPasswordField("newPassword", "New password"),
      ],
      submit: "Change the password",
      working: "Changing…",
      send: async ({ currentPassword, newPassword }) => {
        await api.request("POST", "/api/auth/change-password", { body: { currentPassword, newPassword } });
        router.replace(location.pathname);
        announce("The password is changed. Every other session has ended.");
      },
    }),
  );
}

/** @param {string | null} userAgent */
function browser(userAgent) {
  return h("span", { title: userAgent }, text(browserName(userAgent)));
}

/** @type {[RegExp, string][]} */
const BROWSERS = [
  [/Edg\/(\d+)/, "Edge"],
  [/Firefox\/(\d+)/, "Firefox"],
  [/Chrome\/(\d+)/, "Chrome"],
  [/Version\/(\d+).* Safari\//, "Safari"],
];
/** @type {[RegExp, string][]} */
const SYSTEMS = [
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/Linux/, "Linux"],
];

/**
 * As people call it; otherwise as it calls itself.
 *
 * @param {string | null} userAgent
 */
function browserName(userAgent) {
  if (!userAgent) {
    return "an unknown browser";
  }
  const browser = BROWSERS.find(([pattern]) => pattern.test(userAgent));
  const system = SYSTEMS.find(([pattern]) => pattern.test(userAgent));
  return browser ? `${browser[1]} ${browser[0].exec(userAgent)?.[1]}${system ? ` on ${system[1]}` : ""}` : userAgent;
}
