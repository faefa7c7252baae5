// What is signed is what is on the wire.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import test from "node:test";
import vm from "node:vm";
import { createFetch, signedFetch, SigningError } from "charter-signing";
import { recorder, verify } from "./support.js";

// What `URL` rewrites: each is sent in some spelling, and that spelling must be the signed one.
const TARGETS = [
  "/organizations/info",
  "/service-accounts?page=1&quantity=20",
  "/service-accounts?order_by=%2Dcreated_at",
  "/service-accounts?b=2&a=1&b=1",
  "/a/../b/./c",
  "/a%2fb/%7euser/%2e%2e/c",
  "/ação?q=☂&r=é",
  "/a b?c d=e f",
  "/a\\b\tc",
  "/p?q=[1]&r={2}|^`'\"<>\\",
  "/p?q=100%",
  "/p?q=a?b/c:d@e",
  "/p;v=1,2?q='*()!$",
  "/p#fragment",
  "/p?q=1#fragment",
  "/p?",
  "/p?#",
  "?q=1",
  "",
];

test("the target is signed as it is sent", async (t) => {
  const { url, received, credentials } = await recorder(t);
  const send = createFetch(credentials);
  for (const target of TARGETS) {
    for (const input of [target, url + target, new URL(url + target), new Request(url + target)]) {
      assert.equal((await send(input)).status, 200);
      verify(received.at(-1));
    }
  }
  assert.equal(received.length, 4 * TARGETS.length);
});

const bytes = (text) => new TextEncoder().encode(text);
const stream = (...chunks) =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });

test("the body is signed as it is sent, with a content type", async (t) => {
  const { url, received, credentials } = await recorder(t);
  const send = createFetch(credentials);
  const large = bytes("..ab..");
  const form = new FormData();
  form.set("a", "ä");
  const bodies = [
    ["Ação ☂", "Ação ☂", "application/json"],
    [bytes("ab"), "ab", undefined],
    [large.subarray(2, 4), "ab", undefined],
    [Buffer.from("ab"), "ab", undefined],
    [new DataView(large.buffer, 2, 2), "ab", undefined],
    [bytes("ab").buffer, "ab", undefined],
    [new URLSearchParams({ a: "ä b" }), "a=%C3%A4+b", "application/x-www-form-urlencoded;charset=UTF-8"],
    [new Blob(["a", "b"], { type: "application/json" }), "ab", "application/json"],
    [stream(bytes("a"), bytes("b")), "ab", undefined],
    [Readable.from([Buffer.from("a"), Buffer.from("b")]), "ab", undefined],
    [[bytes("a"), bytes("b")], "ab", undefined],
    ["", "", "application/json"],
    [null, "", undefined],
    [undefined, "", undefined],
  ];
  for (const [body, sent, contentType] of bodies) {
    await send("/p", { method: "patch", body });
    const last = received.at(-1);
    verify(last);
    assert.equal(last.method, "PATCH");
    assert.equal(last.body.toString(), sent);
    assert.equal(last.headers["content-type"], contentType);
  }
  await send("/p", { method: "POST", body: form });
  verify(received.at(-1));
  assert.match(received.at(-1).headers["content-type"], /^multipart\/form-data; boundary=/);

  const headers = { "content-type": "application/merge-patch+json", "if-match": '"1"' };
  await send(new Request(`${url}/p`, { method: "PATCH", body: "{}", headers }));
  verify(received.at(-1));
  assert.equal(received.at(-1).body.toString(), "{}");
  assert.equal(received.at(-1).headers["content-type"], "application/merge-patch+json");
  assert.equal(received.at(-1).headers["if-match"], '"1"');
});

test("what cannot be signed is refused and not sent", async (t) => {
  const { received, credentials } = await recorder(t);
  const send = createFetch({ ...credentials, maxStreamBytes: 3 });
  const refused = (body, expected) =>
    assert.rejects(send("/p", { method: "POST", body }), (error) => {
      assert.ok(error instanceof SigningError, String(error));
      assert.match(error.message, expected);
      return true;
    });
  await refused(stream(bytes("ab"), bytes("cd")), /more than 3 bytes/);
  await refused(stream("text"), /other than bytes/);
  await refused(Readable.from([bytes("ab"), bytes("cd")]), /more than 3 bytes/);
  await refused(Readable.from(["text"]), /other than bytes/);
  await refused([{ a: 1 }], /JSON\.stringify/);
  await refused({ a: 1 }, /JSON\.stringify/);
  await refused(42, /JSON\.stringify/);
  const long = new Request(`${credentials.baseUrl}/p`, {
    method: "POST",
    body: stream(bytes("ab"), bytes("cd")),
    duplex: "half",
  });
  await assert.rejects(send(long), /more than 3 bytes/);
  assert.equal(received.length, 0);
});

test("what is no request is refused", async (t) => {
  const { url, received, credentials } = await recorder(t);
  const send = createFetch(credentials);
  /** What `import { Request } from "undici"` and another frame's are: equal in all but the class. */
  const Foreign = vm.runInNewContext("(class Request { method = 'DELETE'; constructor(url) { this.url = url; } })");
  for (const input of [new Foreign(`${url}/p`), { url: `${url}/p` }, 42, null, undefined]) {
    await assert.rejects(send(input), /must be text, a `URL` or a `Request`/);
  }
  assert.equal(received.length, 0);
});

test("a request's options are passed on, and the caller's stand over them", async () => {
  const sent = [];
  const fetch = async (_, init) => (sent.push(init), new Response("{}"));
  const baseUrl = "https://charter.example.org";
  const options = {
    cache: "no-store",
    credentials: "omit",
    integrity: "sha256-abc",
    keepalive: true,
    mode: "same-origin",
    referrerPolicy: "no-referrer",
  };
  const send = createFetch({ accessKey: "a", secretKey: "s", baseUrl, fetch });
  await send(new Request(`${baseUrl}/p`, options));
  await send(new Request(`${baseUrl}/p`, options), { cache: "reload" });
  for (const [at, expected] of [options, { ...options, cache: "reload" }].entries()) {
    for (const [name, value] of Object.entries(expected)) assert.equal(sent[at][name], value, name);
  }
});

test("every call has another nonce, for the same request too", async (t) => {
  const { url, received, credentials } = await recorder(t, [[503], [503], [503]]);
  const send = createFetch(credentials);
  const request = new Request(`${url}/p`, { method: "PATCH", body: "{}" });
  while ((await send(request)).status === 503);
  await signedFetch(credentials, "/p");
  assert.equal(received.length, 5);
  for (const it of received) verify(it);
  for (const it of received.slice(0, 4)) assert.equal(it.body.toString(), "{}");
  assert.equal(new Set(received.map((it) => it.headers["x-nonce"])).size, 5);
});

test("the caller's signing headers are replaced, its other headers kept", async (t) => {
  const { received, credentials } = await recorder(t);
  const headers = { Authorization: "Bearer other", "X-Nonce": "mine", "x-request-id": "kept" };
  await signedFetch(credentials, "/p", { headers });
  verify(received[0]);
  assert.equal(received[0].headers["x-request-id"], "kept");
});

test("a request elsewhere is neither signed nor sent", async (t) => {
  const ours = await recorder(t);
  const theirs = await recorder(t);
  const send = createFetch(ours.credentials);
  const host = theirs.url.slice("http:".length);
  for (const input of [`${theirs.url}/p`, `${host}/p`, `\\\\${host.slice(2)}/p`, new Request(theirs.url)]) {
    await assert.rejects(send(input), /not signing a request to/);
  }
  await assert.rejects(send(ours.url.replace("//", "//ada:secret@")), /not signing a request to/);
  assert.equal(theirs.received.length + ours.received.length, 0);
});

test("no redirect is followed", async (t) => {
  const theirs = await recorder(t);
  const moved = [307, { location: `${theirs.url}/p` }];
  const ours = await recorder(t, [moved, moved, [307, { location: "/other" }]]);
  const send = createFetch(ours.credentials);
  await assert.rejects(send("/p"), TypeError);
  assert.equal((await send("/p", { redirect: "manual" })).status, 307);
  await assert.rejects(send(new Request(`${ours.url}/p`)), TypeError);
  await assert.rejects(send("/p", { redirect: "follow" }), /sign anew/);
  assert.equal(ours.received.length, 3);
  assert.equal(theirs.received.length, 0);
});

test("a caller's signal aborts", async (t) => {
  const { received, credentials } = await recorder(t);
  await assert.rejects(signedFetch(credentials, "/p", { signal: AbortSignal.abort() }), {
    name: "AbortError",
  });
  assert.equal(received.length, 0);
});

test("a caller's signal ends the reading of a body that never ends", async (t) => {
  const { url, received, credentials } = await recorder(t);
  const cancelled = [];
  const pull = () => new Promise(() => {});
  const endless = (name) => new ReadableStream({ pull, cancel: () => cancelled.push(name) });
  const silent = new Readable({ read() {} });
  const duplex = "half";
  const requests = [
    (signal) => ["/p", { method: "PATCH", body: endless("stream"), signal, duplex }],
    (signal) => ["/p", { method: "PATCH", body: silent, signal, duplex }],
    (signal) => [new Request(`${url}/p`, { method: "PATCH", body: endless("request"), signal, duplex })],
  ];
  for (const request of requests) {
    const controller = new AbortController();
    const sending = signedFetch(credentials, ...request(controller.signal));
    setImmediate(() => controller.abort(new Error("enough")));
    await assert.rejects(sending, { message: "enough" });
  }
  assert.deepEqual(cancelled, ["stream"]);
  assert.ok(silent.destroyed);
  const unread = endless("unread");
  const signal = AbortSignal.abort();
  const early = signedFetch(credentials, "/p", { method: "PATCH", body: unread, signal });
  await assert.rejects(early, { name: "AbortError" });
  assert.ok(!unread.locked);
  assert.equal(received.length, 0);
});

test("another fetch can send", async () => {
  const sent = [];
  const fetch = async (...call) => (sent.push(call), new Response("{}"));
  const baseUrl = "https://charter.example.org";
  await signedFetch({ accessKey: "a", secretKey: "s", baseUrl, fetch }, "/p?q=1");
  assert.equal(sent[0][0], `${baseUrl}/p?q=1`);
});
