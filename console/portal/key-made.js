/** A new key: its secret this once, and the lines that use it. */

import { button } from "../shared/button.js";
import { copyable } from "../shared/copy.js";
import { openDialog } from "../shared/dialog.js";
import { fill, h } from "../shared/dom.js";
import { notice } from "../shared/states.js";
import { canSign, signedCurl } from "../shared/sign.js";

const PATH = "/organizations/info";
const POLL_MS = 3_000;

/**
 * @param {import("./api.js").Api} api
 * @param {{id: string, access_key: string, secret_key: string, service_account_id: string}} key
 * @returns {Promise<void>} resolves when the dialog is closed
 */
export function showNewKey(api, key) {
  const end = new AbortController();
  return new Promise((resolve) => {
    openDialog("The new key", (close) => content(api, key, end.signal, close), {
      keepOpen: true,
      onclose: () => {
        end.abort();
        resolve();
      },
    });
  });
}

/**
 * @param {import("./api.js").Api} api
 * @param {{id: string, access_key: string, secret_key: string, service_account_id: string}} key
 * @param {AbortSignal} signal
 * @param {() => void} close
 */
function content(api, key, signal, close) {
  const { access_key: accessKey, secret_key: secretKey } = key;
  const arrival = h("p", { role: "status" }, "Waiting for its first request…");
  watch(api, key, signal, arrival);
  return [
    notice("This is the only time that the secret is shown. Store it now; it cannot be read again.", "warning"),
    copyable("Access key", accessKey),
    copyable("Secret key", secretKey),
    h(
      "details",
      {},
      h("summary", {}, "Lines that use it: shell, curl, Python, TypeScript"),
      h(
        "div",
        { class: "stack" },
        copyable("Environment, for the lines below", environment(accessKey, secretKey)),
        copyable("Shell", `charter request GET ${PATH}`),
        canSign && curl(accessKey, secretKey),
        copyable("Python", PYTHON),
        copyable("TypeScript", TYPESCRIPT),
        h(
          "p",
          { class: "small muted" },
          "These read the organization, which needs the permission organizations:GetOrganization. ",
          "The clients are in Charter's folder clients/.",
        ),
      ),
    ),
    h("div", { class: "buttons buttons-told" }, arrival, button("I have stored the secret", { kind: "primary", onclick: close })),
  ];
}

/**
 * A signed line is good once, and for five minutes: it is made when it is asked for.
 *
 * @param {string} accessKey
 * @param {string} secretKey
 */
function curl(accessKey, secretKey) {
  const element = h("div", { class: "stack" });
  const make = button("Sign a curl line", {
    small: true,
    onclick: async () => {
      const line = await signedCurl({ accessKey, secretKey, path: PATH });
      fill(
        element,
        copyable("curl, signed now: good once, for five minutes", line),
        h("div", {}, make),
      );
      fill(make, "Sign another");
    },
  });
  fill(element, h("div", {}, make));
  return element;
}

/**
 * @param {string} accessKey
 * @param {string} secretKey
 */
function environment(accessKey, secretKey) {
  return [
    `export CHARTER_BASE_URL='${location.origin}'`,
    `export CHARTER_ACCESS_KEY='${accessKey}'`,
    `export CHARTER_SECRET_KEY='${secretKey}'`,
  ].join("\n");
}

const PYTHON = `import httpx
from charter_signing import Signer
from charter_signing.httpx_auth import SigningAuth

signer = Signer.from_env()
with httpx.Client(base_url=signer.base_url, auth=SigningAuth(signer)) as client:
    print(client.get("${PATH}").json())`;

const TYPESCRIPT = `import { createFetch, credentialsFromEnv } from "charter-signing";

const signedFetch = createFetch(credentialsFromEnv());
const answer = await signedFetch("${PATH}");
console.log(await answer.json());`;

/**
 * Says when the key is used for the first time.
 *
 * @param {import("./api.js").Api} api
 * @param {{id: string, service_account_id: string}} key
 * @param {AbortSignal} signal
 * @param {HTMLElement} line
 */
async function watch(api, key, signal, line) {
  while (!signal.aborted) {
    await new Promise((resolve) => {
      setTimeout(resolve, POLL_MS);
    });
    if (document.hidden || signal.aborted) {
      continue;
    }
    try {
      const { data } = await api.get(`/service-accounts/${key.service_account_id}/keys`, {
        query: { quantity: 100 },
        signal,
      });
      const now = data.results.find((/** @type {{id: string}} */ each) => each.id === key.id);
      if (now?.last_used_at) {
        fill(line, h("strong", {}, "Its first request has arrived."));
        return;
      }
    } catch {
      fill(line);
      return;
    }
  }
}
