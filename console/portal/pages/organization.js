/** The organization: profile, regions, billing contact, and its end. */

import { badge, button } from "../../shared/button.js";
import { confirmDialog } from "../../shared/dialog.js";
import { fill, h } from "../../shared/dom.js";
import { ApiError } from "../../shared/errors.js";
import { Invalid, choicesField, selectField, textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { card, notice } from "../../shared/states.js";
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

/** The organization as this page last saw it. Each form remembers the version that its fields show. */
class Edited {
  /** Shows what is known now. */
  onChange = () => {};

  /**
   * @param {import("../main.js").Context} context
   * @param {Organization} now
   */
  constructor({ api, session }, now) {
    this.api = api;
    this.session = session;
    this.now = now;
  }

  who() {
    return whoWasFaster(this, typedId("org", this.now.id));
  }

  /** @returns {Promise<import("../api.js").Answer>} */
  async read() {
    const answer = await this.api.get(PATH);
    this.now = answer.data;
    this.onChange();
    return answer;
  }

  /**
   * @param {string} path
   * @param {unknown} body
   * @param {string | null} etag
   * @returns {Promise<string | null>} the next one
   */
  async write(path, body, etag) {
    const answer = await this.api.request("PUT", path, { body, ifMatch: etag });
    this.now = answer.data;
    await this.session.load();
    this.onChange();
    announce("Saved.");
    return answer.etag;
  }
}

/** @param {import("../main.js").Context} context */
export async function show(context) {
  const { api, session } = context;
  const { data, etag } = await api.get(PATH);
  const edited = new Edited(context, data);
  const [mayRename, maySet] = [session.can("organizations:UpdateOrganization"), session.can("organizations:UpdateSettings")];
  const known = h("div", {});
  edited.onChange = () => fill(known, facts(edited.now, mayRename, maySet));
  edited.onChange();
  return page(
    "Organization",
    null,
    mayRename ? profile(edited, etag) : null,
    maySet ? settings(edited, etag) : null,
    card("Details", known),
    session.can("organizations:DeactivateOrganization") && data.isActive && end(context, edited),
  );
}

/**
 * @param {Edited} edited
 * @param {string | null} etag
 */
function profile(edited, etag) {
  return card(
    "Profile",
    form({
      fields: [
        textField({ name: "name", label: "Name", value: edited.now.name, maxlength: 200 }),
        slugField("slug", edited.now.slug),
      ],
      submit: "Save profile",
      working: "Saving…",
      current: async () => {
        const answer = await edited.read();
        etag = answer.etag;
        return { name: answer.data.name, slug: answer.data.slug };
      },
      who: () => edited.who(),
      send: async (values) => {
        etag = await edited.write(PATH, values, etag);
      },
    }),
    { explanation: "A slug that you give up stays reserved for 30 days." },
  );
}

/**
 * @param {Edited} edited
 * @param {string | null} etag
 */
function settings(edited, etag) {
  const organization = edited.now;
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
    const kept = edited.now.allowedRegions.filter((region) => chosen.includes(region));
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
        const { data: now, etag: next } = await edited.read();
        etag = next;
        return {
          allowed_regions: now.allowedRegions,
          default_region: now.defaultRegion ?? "",
          contact_email: now.contactEmail ?? "",
        };
      },
      who: () => edited.who(),
      send: async (values) => {
        const body = {
          ...values,
          default_region: values.default_region || null,
          contact_email: values.contact_email || null,
        };
        etag = await edited.write(`${PATH}/settings`, body, etag);
      },
    }),
  );
}

/**
 * What no form above shows.
 *
 * @param {Organization} organization
 * @param {boolean} mayRename
 * @param {boolean} maySet
 */
function facts(organization, mayRename, maySet) {
  const limit = new Intl.NumberFormat("en").format(organization.monthlyDocLimit);
  return pairs([
    !mayRename && ["Name", text(organization.name)],
    !mayRename && ["Slug", code(organization.slug)],
    ["State", organization.isActive ? badge("Active", "good") : badge("Deactivated", "bad")],
    ["Id", code(organization.id)],
    ["Schema", code(organization.schemaName)],
    ["Plan", `${organization.planTier}, ${limit} documents a month`],
    !maySet && ["Regions", text(organization.allowedRegions.join(", "))],
    !maySet && ["Default region", text(organization.defaultRegion, "none")],
    !maySet && ["Billing contact", text(organization.contactEmail, "none")],
    ["Created", exactTime(organization.createdAt)],
  ]);
}

/**
 * @param {import("../main.js").Context} context
 * @param {Edited} edited
 */
function end(context, edited) {
  const press = button("Deactivate the organization…", { kind: "danger", onclick: () => askToDeactivate(context, edited) });
  return card("Deactivate", h("div", {}, press), {
    danger: true,
    explanation: "Closes the organization: keys, sessions and invitations end at once, and nothing can be changed any more.",
  });
}

/**
 * @param {import("../main.js").Context} context
 * @param {Edited} edited
 * @param {boolean} [again] somebody else changed the organization while it was asked
 */
async function askToDeactivate(context, edited, again = false) {
  const { api, session, router } = context;
  const { data, etag } = await edited.read();
  const consequences = [
    again && notice("Somebody else changed the organization meanwhile. Look again.", "warning"),
    h("p", {}, "You are about to close ", h("strong", {}, text(data.name)), ". At once:"),
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
  confirmDialog({
    title: "Deactivate the organization?",
    consequences,
    action: "Deactivate for good",
    working: "Deactivating…",
    typed: {
      label: "The organization's name",
      text: data.name,
      hint: ["To go on, type it: ", text(data.name)],
    },
    run: async () => {
      try {
        await api.request("POST", `${PATH}/deactivate`, { ifMatch: etag });
      } catch (error) {
        if (!(error instanceof ApiError && error.isConflict)) {
          throw error;
        }
        askToDeactivate(context, edited, true);
        return;
      }
      await session.load();
      router.replace("/portal");
      announce("The organization is deactivated.");
    },
  });
}
