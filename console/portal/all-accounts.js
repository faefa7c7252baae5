/** The accounts' names, to choose from. */

const QUANTITY = 100;

/**
 * All of them by name, inactive ones too; none if policy does not let this person list them.
 *
 * @param {import("./api.js").Api} api
 * @param {import("./session.js").Session} session
 * @returns {Promise<{id: string, name: string, is_default: boolean, is_active: boolean}[]>}
 */
export async function readAccounts(api, session) {
  if (!session.can("accounts:ListAccounts")) {
    return [];
  }
  const accounts = [];
  for (let page = 1; ; page += 1) {
    const query = { page, quantity: QUANTITY, order_by: "name", include_inactive: true };
    const { data } = await api.get("/accounts", { query });
    accounts.push(...data.results);
    if (accounts.length >= data.total || data.results.length === 0) {
      return accounts;
    }
  }
}
