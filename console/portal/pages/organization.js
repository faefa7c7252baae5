/** The organization: profile, regions, billing contact, and its end. */

import { button } from "../../shared/button.js";
import { confirmDialog } from "../../shared/dialog.js";
import { h } from "../../shared/dom.js";
import { Invalid, choicesField, selectField, textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { card } from "../../shared/states.js";
import { announce } from "../../shared/status.js";
import { pairs } from "../../shared/table.js";
import { code, text } from "../../shared/text.js";
import { exactTime } from "../../shared/time.js";
import { whoWasFaster } from "../faster.js";
import { slugField } from "../fields.js";
import { page } from "../../shared/page.js";
import { typedId } from "../names.js";

const PATH = "/api/portal/organization";

const REGIONS = [
  { value: "ca-central-1", label: "Canada, central (ca-central-1)" },
  { value: "us-east-2", label: "US, east (us-east-2)" },
  { value: "eu-central-1", label: "Europe, central (eu-central-1)" },
];

/** @typedef {import("../session.js").Organization} Organization */

/** The organization as this page last saw it. */
class Edited {
  /** @type {string | null} */
  etag = null;

  /** @param {import("../main.js").Context} context */
  constructor({ api, session }) {
    this.api = api;
    this.session = session;
  }

  /** @param {Organization} organization */
  who({ id }) {
    return whoWasFaster(this, typedId("org", id));
  }

  /** @returns {Promise<Organization>} */
  async read() {
    const { data, etag } = await this.api.get(PATH);
    this.etag = etag;
    return data;
  }

  /**
   * @param {string} path
   * @param {unknown} body
   */
  async write(path, body) {
    const { etag } = await this.api.request("PUT", path, { body, ifMatch: this.etag });
    this.etag = etag;
    await this.session.load();
    announce("Saved.");
  }
}

/** @param {import("../main.js").Context} context */
export async function show(context) {
  const edited = new Edited(context);
  const organization = await edited.read();
  const { session } = context;
  return page(
    "Organization",
    null,
    session.can("organizations:UpdateOrganization") ? profile(edited, organization) : null,
    session.can("organizations:UpdateSettings") ? settings(edited, organization) : null,
    facts(organization),
    session.can("organizations:DeactivateOrganization") && organization.isActive && end(context, edited, organization),
  );
}

/**
 * @param {Edited} edited
 * @param {Organization} organization
 */
function profile(edited, organization) {
  return card(
    "Profile",
    form({
      fields: [
        textField({ name: "name", label: "Name", value: organization.name, maxlength: 200 }),
        slugField("slug", organization.slug),
      ],
      submit: "Save profile",
      working: "Saving…",
      current: async () => ({ ...(await edited.read()) }),
      who: () => edited.who(organization),
      send: (values) => edited.write(PATH, values),
    }),
    { explanation: "A slug that you give up stays reserved for 30 days." },
  );
}

/**
 * @param {Edited} edited
 * @param {Organization} organization
 */
function settings(edited, organization) {
  const allowed = choicesField({
    name: "allowed_regions",
    label: "Allowed regions",
    value: organization.allowedRegions,
    hint: "Where documents may be kept. At least one.",
    groups: [{ choices: REGIONS }],
  });
  const regions = allowed.read;
  allowed.read = () => {
    // The order is kept as it was; what is new comes last.
    const chosen = regions();
    if (chosen.length === 0) {
      throw new Invalid("Choose at least one region.");
    }
    const kept = organization.allowedRegions.filter((region) => chosen.includes(region));
    return [...kept, ...chosen.filter((/** @type {string} */ region) => !kept.includes(region))];
  };
  return card(
    "Regions and billing",
    form({
      fields: [
        allowed,
        selectField({
          name: "default_region",
          label: "Default region",
          value: organization.defaultRegion ?? "",
          options: [{ value: "", label: "None" }, ...REGIONS],
          hint: "Must be one of the allowed ones.",
        }),
        textField({
          name: "contact_email",
          label: "Billing contact",
          type: "email",
          value: organization.contactEmail ?? "",
          optional: true,
          autocomplete: "email",
        }),
      ],
      submit: "Save settings",
      working: "Saving…",
      current: async () => {
        const now = await edited.read();
        return {
          allowed_regions: now.allowedRegions,
          default_region: now.defaultRegion ?? "",
          contact_email: now.contactEmail ?? "",
        };
      },
      who: () => edited.who(organization),
      send: (values) =>
        edited.write(`${PATH}/settings`, {
          ...values,
          default_region: values.default_region || null,
          contact_email: values.contact_email || null,
        }),
    }),
  );
}

/** @param {Organization} organization */
function facts(organization) {
  const limit = new Intl.NumberFormat().format(organization.monthlyDocLimit);
  return card(
    "Facts",
    pairs([
      ["Name", text(organization.name)],
      ["Slug", code(organization.slug)],
      ["Id", code(organization.id)],
      ["Schema", code(organization.schemaName)],
      ["Plan", `${organization.planTier}, ${limit} documents a month`],
      ["Regions", text(organization.allowedRegions.join(", "))],
      ["Default region", text(organization.defaultRegion, "none")],
      ["Billing contact", text(organization.contactEmail, "none")],
      ["Made", exactTime(organization.createdAt)],
    ]),
  );
}

/**
 * @param {import("../main.js").Context} context
 * @param {Edited} edited
 * @param {Organization} organization
 */
function end({ api, session, router }, edited, organization) {
  const consequences = [
    h("p", {}, "You are about to close ", h("strong", {}, text(organization.name)), ". At once:"),
    h(
      "ul",
      { class: "plain" },
      h("li", {}, "every access key is revoked for good: programs stop working, and stay so;"),
      h("li", {}, "every session and every open invitation ends;"),
      h("li", {}, "documents are no longer normalized;"),
      h("li", {}, "its people can still sign in and look, but nobody can change anything."),
    ),
    h("p", {}, "You cannot undo this. Only an operator of this installation can, and the keys stay revoked."),
  ];
  const ask = () =>
    confirmDialog({
      title: "Deactivate the organization?",
      consequences,
      action: "Deactivate for good",
      working: "Deactivating…",
      typed: {
        label: "The organization's name",
        text: organization.name,
        hint: ["To go on, type it: ", text(organization.name)],
      },
      run: async () => {
        await api.request("POST", `${PATH}/deactivate`, { ifMatch: edited.etag });
        await session.load();
        router.replace("/portal");
        announce("The organization is deactivated.");
      },
    });
  return card("Deactivate", h("div", {}, button("Deactivate the organization…", { kind: "danger", onclick: ask })), {
    danger: true,
    explanation: "Closes the organization: keys, sessions and invitations end at once, and nothing can be changed any more.",
  });
}
