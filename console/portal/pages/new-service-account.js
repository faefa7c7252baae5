/** Creating a service account. */

import { linkButton } from "../../shared/button.js";
import { selectField, textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { card, notice } from "../../shared/states.js";
import { announce } from "../../shared/status.js";
import { readAccounts } from "../all-accounts.js";
import { grantFields, readNames } from "../grants.js";
import { metadataField } from "../metadata.js";
import { page } from "../../shared/page.js";

/** @param {import("../main.js").Context} context */
export async function show({ api, session, router }) {
  if (!session.can("service-accounts:CreateServiceAccount")) {
    return page("Create a service account", null, notice("Policy does not allow you to create service accounts.", "warning"));
  }
  const [all, names] = await Promise.all([readAccounts(api, session), readNames(api)]);
  const accounts = all.filter((each) => each.is_active);
  const account = selectField({
    name: "account_id",
    label: "Account",
    value: accounts.find((each) => each.is_default)?.id,
    options: accounts.map(({ id, name }) => ({ value: id, label: name })),
  });
  return page(
    "Create a service account",
    null,
    card(
      "New service account",
      form({
        fields: [
          textField({ name: "name", label: "Name", maxlength: 200 }),
          textField({ name: "description", label: "Description", optional: true }),
          ...(accounts.length > 0 ? [account] : []),
          ...grantFields(names, { roles: [], permissions: [] }),
          metadataField({}),
        ],
        wide: true,
        submit: "Create the service account",
        working: "Creating…",
        beside: linkButton("Cancel", "/portal/service-accounts"),
        send: async (body) => {
          const { data } = await api.request("POST", "/service-accounts", { body });
          router.replace(`/portal/service-accounts/${data.id}`);
          announce("The service account is created. It needs a key.");
        },
      }),
    ),
  );
}
