/** The people of the organization: members, invitations, roles. */

import { badge, button } from "../../shared/button.js";
import { confirmDialog, openDialog } from "../../shared/dialog.js";
import { fill, h } from "../../shared/dom.js";
import { Notice } from "../../shared/errors.js";
import { selectField, textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { card, empty, section } from "../../shared/states.js";
import { announce } from "../../shared/status.js";
import { table } from "../../shared/table.js";
import { text } from "../../shared/text.js";
import { time } from "../../shared/time.js";
import { pageWith } from "../../shared/page.js";
import { accessOfChosen, readRoles, roleList, roleMay } from "../role-access.js";

/**
 * @typedef {{id: string, email: string, role: string, isActive: boolean, emailVerified: boolean, createdAt: string,
 *   lastLoginAt: string | null}} Member
 * @typedef {{id: string, email: string, role: string, invitedBy: string, createdAt: string,
 *   expiresAt: string}} Invitation
 */

const PATH = "/api/portal/team";

/** @param {import("../main.js").Context} context */
export function show(context) {
  const { api, session } = context;
  /** @type {Promise<import("../role-access.js").Role[]> | null} */
  let reading = null;
  const readAll = () => {
    reading ??= readRoles(api).catch((error) => {
      reading = null;
      throw error;
    });
    return reading;
  };
  /** @type {Promise<Member[]>} */
  let members = Promise.resolve([]);
  const team = section(async () => {
    members = api.get(PATH).then((answer) => answer.data);
    return memberTable(context, await members, await readAll(), team.reload);
  });
  const invitations = section(async () => {
    const { data } = await api.get(`${PATH}/invitations`);
    return data.length === 0
      ? empty("No open invitations", "Whoever is invited gets a mail with a link. It is good for 48 hours.")
      : invitationTable(context, data, await members, invitations.reload);
  });
  const roles = section(async () => roleList(await readAll()));
  const invite = button("Invite a user", {
    kind: "primary",
    onclick: () => askToInvite(context, invitations.reload),
  });
  return pageWith(
    "Team",
    session.can("team:InviteMember") && invite,
    "A person has one role; what each role may do is policy's to say.",
    card("Members", team.element),
    card("Open invitations", invitations.element),
    card("Roles", roles.element, {
      explanation: "What a person of each role could do here now, as policy answers.",
    }),
  );
}

/**
 * @param {import("../main.js").Context} context
 * @param {Member[]} members
 * @param {import("../role-access.js").Role[]} roles
 * @param {() => Promise<void>} reload
 */
function memberTable(context, members, roles, reload) {
  const { session } = context;
  const may = (/** @type {string} */ permission, /** @type {Member} */ member) =>
    session.can(permission) && roleMay(roles, session.me.role, permission, member.role);
  return table({
    caption: "Members",
    wide: true,
    rows: members,
    columns: [
      {
        title: "E-mail",
        cell: (member) => [text(member.email), member.id === session.me.id && [" ", badge("You")]],
      },
      { title: "Role", cell: (member) => h("span", { class: "short" }, text(member.role)) },
      {
        title: "State",
        cell: (member) => {
          if (!member.isActive) {
            return badge("Disabled", "bad");
          }
          return member.emailVerified ? badge("Verified", "good") : badge("Not verified", "warning");
        },
      },
      { title: "Last signed in", cell: (member) => time(member.lastLoginAt) },
      { title: "Member since", cell: (member) => time(member.createdAt) },
      {
        title: "Actions",
        actions: true,
        cell: (member) =>
          member.id !== session.me.id && [
            may("team:ChangeRole", member) &&
              button("Change role", {
                small: true,
                label: `Change role of ${member.email}`,
                onclick: () => askForRole(context, member, reload),
              }),
            may("team:RemoveMember", member) &&
              member.role !== "owner" &&
              button("Remove", {
                small: true,
                label: `Remove ${member.email}`,
                onclick: () => askToRemove(context, member, reload),
              }),
          ],
      },
    ],
  });
}

/**
 * @param {import("../main.js").Context} context
 * @param {Invitation[]} invitations
 * @param {Member[]} members
 * @param {() => Promise<void>} reload
 */
function invitationTable({ api, session }, invitations, members, reload) {
  const nameOf = (/** @type {string} */ id) => members.find((member) => member.id === id)?.email ?? id;
  return table({
    caption: "Open invitations",
    wide: true,
    rows: invitations,
    columns: [
      { title: "E-mail", cell: (invitation) => text(invitation.email) },
      { title: "Role", cell: (invitation) => h("span", { class: "short" }, text(invitation.role)) },
      { title: "Invited by", cell: (invitation) => text(nameOf(invitation.invitedBy)) },
      { title: "Sent", cell: (invitation) => time(invitation.createdAt) },
      { title: "Good until", cell: (invitation) => time(invitation.expiresAt) },
      {
        title: "Actions",
        actions: true,
        cell: (invitation) =>
          session.can("team:InviteMember") &&
          button("Withdraw", {
            small: true,
            label: `Withdraw the invitation of ${invitation.email}`,
            onclick: () =>
              confirmDialog({
                title: "Withdraw the invitation?",
                consequences: h("p", {}, "The link that was sent to ", text(invitation.email), " stops working."),
                action: "Withdraw",
                run: async () => {
                  await api.request("DELETE", `${PATH}/invitations/${invitation.id}`);
                  announce("The invitation is withdrawn.");
                  await reload();
                },
              }),
          }),
      },
    ],
  });
}

/**
 * Those that this person may give.
 *
 * @param {import("../main.js").Context} context
 * @returns {Promise<import("../role-access.js").Role[]>}
 */
async function readGrantable({ api, session }) {
  const roles = await readRoles(api);
  return roles.filter(({ name }) => roleMay(roles, session.me.role, "team:AssignRole", name));
}

/** @param {import("../role-access.js").Role[]} roles */
function options(roles) {
  return roles.map(({ name }) => ({ value: name, label: name }));
}

/**
 * @param {import("../main.js").Context} context
 * @param {() => Promise<void>} reload
 */
function askToInvite(context, reload) {
  const { api } = context;
  const email = textField({ name: "email", label: "E-mail", type: "email" });
  const load = async (/** @type {() => void} */ close) => {
    const roles = (await readGrantable(context)).filter((each) => each.name !== "owner");
    const role = selectField({
      name: "role",
      label: "Role",
      value: roles.some((each) => each.name === "member") ? "member" : roles[0]?.name,
      options: options(roles),
      hint: "Owners are made afterwards, by changing the role of a member.",
    });
    const invite = form({
      fields: [email, role],
      submit: "Invite",
      working: "Inviting…",
      beside: button("Cancel", { onclick: close }),
      send: async (body) => {
        await api.request("POST", `${PATH}/invite`, { body });
        close();
        announce(`An invitation is on its way to ${body.email}. It is good for 48 hours.`);
        await reload();
      },
    });
    setTimeout(() => email.focus());
    return [invite, accessOfChosen(role, roles)];
  };
  openDialog("Invite a user", (close) => section(() => load(close)).element);
}

/**
 * @param {import("../main.js").Context} context
 * @param {Member} member
 * @param {() => Promise<void>} reload
 */
function askForRole(context, member, reload) {
  const { api } = context;
  const is = h("p", {});
  const tell = () => fill(is, text(member.email), " is ", text(member.role), ". A change holds from the next request on.");
  tell();
  const load = async (/** @type {() => void} */ close) => {
    const roles = await readGrantable(context);
    const role = selectField({ name: "role", label: "Role", value: member.role, options: options(roles) });
    const change = form({
      fields: [role],
      submit: "Change the role",
      working: "Changing…",
      beside: button("Cancel", { onclick: close }),
      send: async (body) => {
        // The list has no version to send along: what it says is compared before.
        const now = await readMember(api, member.id);
        if (now && now.role !== member.role) {
          member = now;
          tell();
          throw new Notice(`Somebody else made this person ${now.role} meanwhile. Change it again, if you still want to.`);
        }
        await api.request("PUT", `${PATH}/${member.id}/role`, { body });
        close();
        announce(`${member.email} is ${body.role} now.`);
        await reload();
      },
    });
    setTimeout(() => role.focus());
    return [change, accessOfChosen(role, roles)];
  };
  openDialog("Change the role", (close) => [is, section(() => load(close)).element]);
}

/**
 * @param {import("../api.js").Api} api
 * @param {string} id
 * @returns {Promise<Member | undefined>}
 */
async function readMember(api, id) {
  return (await api.get(PATH)).data.find((/** @type {Member} */ each) => each.id === id);
}

/**
 * @param {import("../main.js").Context} context
 * @param {Member} member
 * @param {() => Promise<void>} reload
 */
function askToRemove({ api }, member, reload) {
  confirmDialog({
    title: "Remove from the team?",
    consequences: h(
      "p",
      {},
      text(member.email),
      " is signed out everywhere at once and loses access. What was done stays on the audit record. ",
      "Keys of service accounts stay: rotate those that this person could know.",
    ),
    action: "Remove",
    working: "Removing…",
    run: async () => {
      await api.request("DELETE", `${PATH}/${member.id}`);
      announce(`${member.email} is removed.`);
      await reload();
    },
  });
}
