// The core: vectors, grammar, secrets.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { inspect } from "node:util";
import { createFetch, credentialsFromEnv, sign, SigningError, stringToSign } from "charter-signing";
import { ACCESS_KEY, REPOSITORY, SECRET_KEY, VECTORS } from "./support.js";

const GOOD = { accessKey: ACCESS_KEY, secretKey: SECRET_KEY, method: "GET", target: "/p" };

test("the package has the project's licence", () => {
  const text = (path) => readFileSync(join(REPOSITORY, path), "utf8");
  assert.equal(text("clients/typescript/LICENSE"), text("LICENSE"));
});

test("every vector is signed as published", async (t) => {
  assert.ok(VECTORS.cases.length > 5);
  for (const it of VECTORS.cases) {
    await t.test(it.name, async () => {
      const target = it.path + (it.query ? `?${it.query}` : "");
      const parts = { method: it.method, target, date: it["x-date"], nonce: it["x-nonce"] };
      assert.equal(
        stringToSign({ ...parts, contentSha256: it["x-content-sha256"] }),
        it.string_to_sign,
      );
      const body = new TextEncoder().encode(it.body);
      assert.deepEqual(await sign({ ...GOOD, ...parts, body }), {
        authorization: `HMAC ${ACCESS_KEY}:${it.signature}`,
        "x-date": it["x-date"],
        "x-nonce": it["x-nonce"],
        "x-content-sha256": it["x-content-sha256"],
      });
    });
  }
});

test("each attempt has another nonce and the date of now", async () => {
  const made = await Promise.all(Array.from({ length: 100 }, () => sign(GOOD)));
  assert.equal(new Set(made.map((it) => it["x-nonce"])).size, 100);
  for (const headers of made) {
    assert.match(headers["x-nonce"], /^[0-9a-f]{32}$/);
    assert.match(headers["x-date"], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.ok(Math.abs(Date.now() - Date.parse(headers["x-date"])) < 10_000);
  }
});

test("what could make the text ambiguous is refused", async () => {
  const wrong = {
    method: ["", "get", "GET\n", "GET /p"],
    target: ["", "p", "/p?", "/a b", "/a\n", "/a#b", "/a\x7f", "/\x85", "?a=1"],
    date: ["", "2025-09-30", "2025-09-30T12:00:00+00:00", "2025-09-30T12:00:00Z\n"],
    nonce: ["", "1234567", "1".repeat(129), "12345678\n", "12345678ä"],
    accessKey: ["", "a:b", "a b", "a".repeat(129), undefined],
    secretKey: ["", "sk_live_test\n", " sk_live_test", "sk_ä", undefined],
  };
  for (const [part, values] of Object.entries(wrong)) {
    for (const value of values) {
      await assert.rejects(sign({ ...GOOD, [part]: value }), (error) => {
        assert.ok(error instanceof SigningError, `${part} ${inspect(value)}: ${error}`);
        assert.ok(!error.message.includes("sk_"));
        return true;
      });
    }
  }
});

test("the environment names all three, and the secret is not printed", () => {
  const env = {
    CHARTER_ACCESS_KEY: ACCESS_KEY,
    CHARTER_SECRET_KEY: SECRET_KEY,
    CHARTER_BASE_URL: "https://charter.example.org",
  };
  const credentials = credentialsFromEnv(env);
  assert.equal(credentials.secretKey, SECRET_KEY);
  const shown = inspect(credentials) + JSON.stringify(credentials) + inspect(createFetch(credentials));
  assert.ok(!shown.includes(SECRET_KEY));
  for (const name of Object.keys(env)) {
    assert.throws(() => credentialsFromEnv({ ...env, [name]: "" }), { message: `\`${name}\` is not set` });
  }
});

test("the base URL is scheme, host and port", () => {
  const origin = "https://charter.example.org";
  const make = (baseUrl) => createFetch({ ...GOOD, baseUrl });
  for (const baseUrl of [origin, `${origin}/`, `${origin}:8443`, "http://[::1]:8080"]) make(baseUrl);
  for (const baseUrl of [
    "",
    "charter.example.org",
    "ftp://charter.example.org",
    `${origin}/v1`,
    `${origin}?a=1`,
    `${origin}?`,
    `${origin}#a`,
    "https://user:password@charter.example.org",
    "https://",
  ]) {
    assert.throws(() => make(baseUrl), /base URL/, baseUrl);
  }
});
