// A running service: what it accepts, and what it says when it refuses.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { createFetch, credentialsFromEnv, sign } from "charter-signing";
import { noService, REPOSITORY, startService } from "./support.js";

test("a running service", { skip: noService }, async (t) => {
  const { env, stop } = await startService();
  t.after(stop);
  const credentials = credentialsFromEnv(env);
  const { accessKey, secretKey, baseUrl } = credentials;
  const send = createFetch(credentials);
  const as = (name) =>
    createFetch({
      accessKey: env[`CHARTER_${name}_ACCESS_KEY`],
      secretKey: env[`CHARTER_${name}_SECRET_KEY`],
      baseUrl,
    });
  /** Sends with the headers of another request. */
  const sendAs = (signed, method, target, body) =>
    fetch(baseUrl + target, {
      method,
      body,
      headers: { ...signed, ...(body && { "content-type": "application/json" }) },
    });
  const refused = async (answer, status, code) => {
    const { error } = await answer.json();
    assert.deepEqual([answer.status, error.code], [status, code], error.message);
    return error;
  };

  await t.test("accepts reads, writes and queries", async () => {
    for (let i = 0; i < 2; i += 1) assert.equal((await send("/organizations/info")).status, 200);
    const body = JSON.stringify({ metadata: { with: "fetch ☂" } });
    for (const form of [body, new TextEncoder().encode(body)]) {
      const headers = { "content-type": "application/json" };
      const answer = await send("/organizations/info", { method: "PATCH", body: form, headers });
      assert.equal((await answer.json()).metadata?.with, "fetch ☂");
    }
    const listed = await as("MANAGER")("/accounts?quantity=20&order_by=%2Dcreated_at");
    assert.equal(listed.status, 200, await listed.text());
  });

  await t.test("accepts the example", () => {
    const example = join(REPOSITORY, "clients/typescript/examples/organization.js");
    const printed = execFileSync(process.execPath, [example], { env: { ...process.env, ...env } });
    assert.match(printed.toString(), /^200 \{"id":"org-/);
  });

  await t.test("refuses a changed body", async () => {
    const request = { accessKey, secretKey, method: "PATCH", target: "/organizations/info" };
    const signed = await sign({ ...request, body: new TextEncoder().encode('{"name":"Acme"}') });
    const answer = await sendAs(signed, "PATCH", "/organizations/info", '{"name":"Mine"}');
    await refused(answer, 401, "BODY_HASH_MISMATCH");
  });

  await t.test("refuses another target, method or secret", async () => {
    const request = { accessKey, secretKey, method: "GET", target: "/organizations/info" };
    const signed = await sign(request);
    const error = await refused(await sendAs(signed, "GET", "/permissions"), 401, "INVALID_SIGNATURE");
    assert.match(error.string_to_sign, /^GET\n\/permissions\n\n/);
    const patched = await sendAs(signed, "PATCH", "/organizations/info", "{}");
    await refused(patched, 401, "INVALID_SIGNATURE");
    const other = await sign({ ...request, secretKey: "sk_live_other" });
    await refused(await sendAs(other, "GET", "/organizations/info"), 401, "INVALID_SIGNATURE");
  });

  await t.test("refuses a replayed nonce", async () => {
    const request = { accessKey, secretKey, method: "GET", target: "/organizations/info" };
    const signed = await sign(request);
    assert.equal((await sendAs(signed, "GET", "/organizations/info")).status, 200);
    await refused(await sendAs(signed, "GET", "/organizations/info"), 401, "REPLAYED_NONCE");
    const anew = await sign({ ...request, nonce: signed["x-nonce"] });
    await refused(await sendAs(anew, "GET", "/organizations/info"), 401, "REPLAYED_NONCE");
  });

  await t.test("tells a clock that is off the server's time", async () => {
    for (const minutes of [-6, 6]) {
      const date = new Date(Date.now() + minutes * 60_000).toISOString();
      const request = { accessKey, secretKey, method: "GET", target: "/organizations/info", date };
      const answer = await sendAs(await sign(request), "GET", "/organizations/info");
      const error = await refused(answer, 401, "CLOCK_SKEW");
      assert.ok(error.message.includes(new Date().toISOString().slice(0, 11)), error.message);
    }
  });

  await t.test("denies by policy what is signed well", async () => {
    const answer = await as("READER")("/organizations/info", { method: "PATCH", body: '{"name":"Mine"}' });
    await refused(answer, 403, "NOT_PERMITTED");
  });
});
