// The scripts for Bruno and Postman, in a stub of their sandboxes.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import vm from "node:vm";
import { noService, recorder, REPOSITORY, SECRET_KEY, startService, ACCESS_KEY, VECTORS, verify } from "./support.js";

const SCRIPTS = Object.fromEntries(
  ["bruno", "postman"].map((name) => [
    name,
    readFileSync(join(REPOSITORY, "clients", name, "sign.js"), "utf8"),
  ]),
);

/** What the scripts use of CryptoJS, made of Node's. */
const words = (buffer) => ({ buffer, toString: (encoding) => buffer.toString(encoding) });
const bufferOf = (data) => (typeof data === "string" ? Buffer.from(data) : data.buffer);
const CryptoJS = {
  enc: { Hex: "hex", Base64: "base64", Utf8: { parse: (text) => words(Buffer.from(text)) } },
  lib: { WordArray: { random: (length) => words(crypto.randomBytes(length)) } },
  SHA256: (data) => words(crypto.createHash("sha256").update(bufferOf(data)).digest()),
  HmacSHA256: (data, key) => words(crypto.createHmac("sha256", key).update(bufferOf(data)).digest()),
};

const load = (name) => (assert.equal(name, "crypto-js"), CryptoJS);

const fill = (text, variables) => text.replace(/\{\{(\w+)\}\}/g, (_, name) => variables[name]);

/** Runs a script on a request; gives the request that the program would send. */
const RUN = {
  bruno({ method, url, body }, variables) {
    const request = { method, url, headers: {}, body };
    const req = {
      getMethod: () => method,
      getUrl: () => request.url,
      setUrl: (text) => (request.url = text),
      getBody: ({ raw }) => (assert.ok(raw), request.body),
      setBody: (text, { raw }) => (assert.ok(raw), (request.body = text)),
      setHeader: (name, value) => (request.headers[name] = value),
      setMaxRedirects: (count) => (request.redirects = count),
    };
    const none = () => undefined;
    const bru = { getVar: none, getEnvVar: (name) => variables[name], getProcessEnv: none };
    vm.runInNewContext(`(() => {${SCRIPTS.bruno}})()`, { bru, req, require: load });
    assert.equal(request.redirects, 0);
    return request;
  },
  postman({ method, url, body }, variables) {
    const request = { method, url, headers: {}, body };
    const pm = {
      variables: { get: (name) => variables[name], replaceIn: (text) => fill(text, variables) },
      request: {
        method,
        url: { toString: () => request.url, update: (text) => (request.url = text) },
        headers: { upsert: ({ key, value }) => (request.headers[key] = value) },
        body: {
          mode: "raw",
          raw: body,
          isEmpty: () => !body,
          update: ({ raw }) => (request.body = raw),
        },
      },
    };
    vm.runInNewContext(`(() => {${SCRIPTS.postman}})()`, { pm, require: load });
    return request;
  },
};

const variablesOf = (baseUrl) => ({
  CHARTER_BASE_URL: baseUrl,
  CHARTER_ACCESS_KEY: ACCESS_KEY,
  CHARTER_SECRET_KEY: SECRET_KEY,
  name: "Ação ☂",
});

test("both scripts have the same core", () => {
  const core = (text) => /^\/\/ --- core[^]*^\/\/ --- end of core ---$/m.exec(text)[0];
  assert.equal(core(SCRIPTS.bruno), core(SCRIPTS.postman));
});

for (const [name, run] of Object.entries(RUN)) {
  test(`${name}: what it signs is what is sent, variables resolved`, async (t) => {
    const { url, received } = await recorder(t);
    const variables = variablesOf(url);
    const requests = [
      { method: "GET", url: "{{CHARTER_BASE_URL}}/organizations/info" },
      { method: "PATCH", url: `${url}/organizations/info`, body: '{"name": "{{name}}"}' },
      { method: "GET", url: "{{CHARTER_BASE_URL}}" },
      ...VECTORS.cases.map((it) => ({
        method: it.method,
        url: `{{CHARTER_BASE_URL}}${it.path}${it.query ? `?${it.query}` : ""}`,
        body: it.body,
      })),
    ];
    for (const request of requests) {
      const { headers, ...sent } = run(request, variables);
      await fetch(sent.url, { method: sent.method, headers, body: sent.body || undefined });
      verify(received.at(-1));
    }
    assert.equal(new Set(received.map((it) => it.headers["x-nonce"])).size, requests.length);
    assert.equal(received[1].body.toString(), '{"name": "Ação ☂"}');
  });

  test(`${name}: what could be sent otherwise, or elsewhere, is not signed`, () => {
    const variables = variablesOf("https://charter.example.org");
    for (const url of [
      "https://evil.example/organizations/info",
      "https://charter.example.org.evil.example/p",
      "https://charter.example.org@evil.example/p",
      "https://charter.example.org:8443/p",
      "http://charter.example.org/p",
      "{{CHARTER_BASE_URL}}/a b",
      "{{CHARTER_BASE_URL}}/a/../b",
      "{{CHARTER_BASE_URL}}/a/./b",
      "{{CHARTER_BASE_URL}}/a//b",
      "{{CHARTER_BASE_URL}}/a/",
      "{{CHARTER_BASE_URL}}/%61",
      "{{CHARTER_BASE_URL}}/p?",
      "{{CHARTER_BASE_URL}}/p?q=%2d%2x",
      "{{CHARTER_BASE_URL}}/p?q=[1]",
    ]) {
      assert.throws(() => run({ method: "GET", url }, variables), /not signing/, url);
    }
    for (const missing of ["CHARTER_BASE_URL", "CHARTER_ACCESS_KEY", "CHARTER_SECRET_KEY"]) {
      const request = { method: "GET", url: "https://charter.example.org/p" };
      assert.throws(() => run(request, { ...variables, [missing]: "" }), new RegExp(missing));
    }
  });
}

test("a running service accepts both", { skip: noService }, async (t) => {
  const { env, stop } = await startService();
  t.after(stop);
  for (const [name, run] of Object.entries(RUN)) {
    const request = {
      method: "PATCH",
      url: "{{CHARTER_BASE_URL}}/organizations/info",
      body: `{"metadata": {"with": "${name} ☂"}}`,
    };
    const { url, method, headers, body } = run(request, env);
    const answer = await fetch(url, {
      method,
      headers: { ...headers, "content-type": "application/json" },
      body,
    });
    assert.equal((await answer.json()).metadata?.with, `${name} ☂`);
  }
});
