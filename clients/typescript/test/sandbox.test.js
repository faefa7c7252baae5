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
  bruno({ method, url, body, contentType }, variables) {
    const request = { method, url, headers: contentType ? { "content-type": contentType } : {}, body };
    const req = {
      getMethod: () => method,
      getUrl: () => request.url,
      setUrl: (text) => (request.url = text),
      getBody: ({ raw }) => (assert.ok(raw), request.body),
      setBody: (text, { raw }) => (assert.ok(raw), (request.body = text)),
      getHeaders: () => request.headers,
      setHeader: (name, value) => (request.headers[name] = value),
      setMaxRedirects: (count) => (request.redirects = count),
    };
    const none = () => undefined;
    const bru = { getVar: none, getEnvVar: (name) => variables[name], getProcessEnv: none };
    vm.runInNewContext(`(() => {${SCRIPTS.bruno}})()`, { bru, req, require: load });
    assert.equal(request.redirects, 0);
    return request;
  },
  postman({ method, url, body, mode = "raw", language }, variables, more = {}) {
    const request = { method, url, headers: {}, body };
    const pm = {
      ...more,
      variables: { get: (name) => variables[name], replaceIn: (text) => fill(text, variables) },
      request: {
        method,
        url: { toString: () => request.url, update: (text) => (request.url = text) },
        headers: { upsert: ({ key, value }) => (request.headers[key] = value) },
        body: {
          mode,
          raw: body,
          options: { raw: { language } },
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

const PATCH = { method: "PATCH", url: "{{CHARTER_BASE_URL}}/p" };
const VARIABLES = variablesOf("https://charter.example.org");
const hashOf = (text) => crypto.createHash("sha256").update(text).digest("hex");

test("bruno: a body that it would send otherwise is not signed, or signed as it is sent", () => {
  const contentType = "application/json; charset=utf-8";
  const run = (body) => RUN.bruno({ ...PATCH, body, contentType }, VARIABLES);
  assert.throws(() => run('{"name":'), /not signing: the body is declared as JSON, but is none/);
  // Its forms are lists to the script.
  assert.throws(() => run([{ name: "a", value: "b" }]), /not signing: the body must be JSON or text/);
  const sent = run('\n {"name": "{{name}}"} \n');
  assert.equal(sent.body, '{"name": "Ação ☂"}');
  assert.equal(sent.headers["x-content-sha256"], hashOf(sent.body));
  const text = RUN.bruno({ ...PATCH, body: " {", contentType: "text/plain" }, VARIABLES);
  assert.equal(text.headers["x-content-sha256"], hashOf(" {"));
});

test("postman: a body that it would send otherwise is not signed, or signed as it is sent", () => {
  const run = (request) => RUN.postman({ ...PATCH, ...request }, VARIABLES);
  for (const method of ["GET", "HEAD", "COPY", "PURGE", "UNLOCK"]) {
    const sent = run({ method, body: '{"a":1}' });
    assert.equal(sent.headers["x-content-sha256"], hashOf(""));
    assert.equal(sent.body, "");
  }
  for (const language of [undefined, "json"]) {
    for (const body of ['{"a":1} // one', '{/* one */"a":1}']) {
      assert.throws(() => run({ body, language }), /not signing: Postman takes comments out/);
    }
    const body = '{"a":"https://a/*b*/"}';
    assert.equal(run({ body, language }).headers["x-content-sha256"], hashOf(body));
  }
  assert.equal(run({ body: "// a", language: "text" }).headers["x-content-sha256"], hashOf("// a"));
  assert.throws(() => run({ body: "a=b", mode: "urlencoded" }), /not signing: the body must be raw/);
});

test("postman: what is not signed is not sent, and the run fails", () => {
  const request = { method: "GET", url: "https://evil.example/p" };
  let skipped = 0;
  const tests = [];
  const more = { execution: { skipRequest: () => (skipped += 1) }, test: (...given) => tests.push(given) };
  assert.throws(() => RUN.postman(request, VARIABLES, more), /not signing/);
  const [[name, failing]] = tests;
  assert.equal(skipped, 1);
  assert.match(name, /not signing: the request does not go to CHARTER_BASE_URL/);
  assert.throws(failing, /not signing/);
  // Before it could be skipped, the script at least fails.
  assert.throws(() => RUN.postman(request, VARIABLES), /not signing/);
});

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
