// A server that records what is on the wire, a running service, and the vectors.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import crypto from "node:crypto";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
export const VECTORS = JSON.parse(readFileSync(join(REPOSITORY, "signing/vectors/signing.json")));
export const ACCESS_KEY = "sa_a1b2c3_d4e5f6_demo";
export const SECRET_KEY = VECTORS.secret_key;

/** Computes the signature anew, sharing no code with the package. */
export function verify({ method, target, headers, body }) {
  const [path, ...query] = target.split("?");
  const sentHash = crypto.createHash("sha256").update(body).digest("hex");
  assert.equal(headers["x-content-sha256"], sentHash, `hash of ${target}`);
  const lines = [method, path, query.join("?"), headers["x-date"], headers["x-nonce"], sentHash];
  const mac = crypto.createHmac("sha256", SECRET_KEY).update(lines.join("\n")).digest("base64");
  assert.equal(headers.authorization, `HMAC ${ACCESS_KEY}:${mac}`, `signature of ${target}`);
}

/** Answers what `answers` says, in turn, then 200; keeps what it received. Closed after the test. */
export async function recorder(t, answers = []) {
  const received = [];
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method, url: target, headers } = request;
    received.push({ method, target, headers, body: Buffer.concat(chunks) });
    const [status, more] = answers.shift() ?? [200, {}];
    response.writeHead(status, more).end();
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, received, credentials: { accessKey: ACCESS_KEY, secretKey: SECRET_KEY, baseUrl: url } };
}

/** Why nothing can be tried on a running service; false if it can. */
export const noService = (() => {
  if (process.env.CHARTER_BIN) return false;
  const reason = "`CHARTER_BIN` names no binary, nothing was tried on a running service";
  if (process.env.CHARTER_REQUIRE_SERVICES === "1") throw new Error(reason);
  console.error(`SKIPPED: ${reason}`);
  return reason;
})();

/** `charter serve --demo` in a directory of its own. */
export async function startService() {
  const home = mkdtempSync(join(tmpdir(), "charter-"));
  const log = join(home, "log");
  const service = spawn(process.env.CHARTER_BIN, ["serve", "--demo"], {
    env: {
      CHARTER__DATA_DIR: join(home, "data"),
      CHARTER__SERVER__LISTEN: "127.0.0.1:0",
      CHARTER__SERVER__OPS_LISTEN: "127.0.0.1:0",
      CHARTER__POLICIES__DIR: join(REPOSITORY, "policies"),
    },
    stdio: ["ignore", "pipe", openSync(log, "w")],
  });
  const stopped = new Promise((done) => service.once("exit", done));
  const stop = async () => {
    service.kill();
    await stopped;
    rmSync(home, { recursive: true });
  };
  for await (const line of createInterface(service.stdout)) {
    const [, baseUrl] = /^charter listens on (http:[^,]+),/.exec(line) ?? [];
    if (baseUrl) {
      const lines = readFileSync(join(home, "data", "demo.env"), "utf8");
      const settings = lines.matchAll(/^export (\w+)='?([^'\n]*)'?$/gm);
      const env = Object.fromEntries(Array.from(settings, ([, name, value]) => [name, value]));
      service.stdout.resume();
      return { env: { ...env, CHARTER_BASE_URL: baseUrl }, stop };
    }
  }
  throw new Error(`the service did not start: ${readFileSync(log, "utf8")}`);
}
