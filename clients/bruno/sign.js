// Charter: signs the request with HMAC-SHA256, anew each time it is sent. See docs/signing.md.
// Variables of the environment: CHARTER_BASE_URL, CHARTER_ACCESS_KEY, and CHARTER_SECRET_KEY as a secret.

// --- core: the same text in clients/bruno and clients/postman; a test compares them ---
function signCharterRequest(CryptoJS, request, credentials) {
  // An origin has no path, so that another host cannot begin with it.
  const origin = credentials.baseUrl.replace(/\/$/, "");
  if (!/^https?:\/\/[^/?#@\\\s]+$/.test(origin)) {
    throw new Error("CHARTER_BASE_URL must be scheme, host and port only");
  }
  const url = request.url.split("#")[0];
  const target = url.slice(origin.length) || "/";
  if (!url.startsWith(origin) || !/^[/?]/.test(target)) {
    throw new Error("not signing: the request does not go to CHARTER_BASE_URL");
  }
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? "" : target.slice(mark + 1);
  // Only what no client rewrites on its way out can be signed here.
  if (!/^\/[A-Za-z0-9._~\-/]*$/.test(path) || /\/\.{0,2}(\/|$)/.test(path.slice(path === "/" ? 1 : 0))) {
    throw new Error("not signing: the path must be canonical, such as /organizations/info");
  }
  if ((mark >= 0 && query === "") || !/^([A-Za-z0-9._~\-=&:,@/+]|%[0-9A-F]{2})*$/.test(query)) {
    throw new Error("not signing: percent-encode the query (%20 and the like, capitals), or leave the ? out");
  }
  if (typeof request.body !== "string" || /\{\{/.test(request.body)) {
    throw new Error("not signing: the body must be text, with every variable resolved");
  }
  const date = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const nonce = CryptoJS.lib.WordArray.random(16).toString(CryptoJS.enc.Hex);
  const contentSha256 = CryptoJS.SHA256(CryptoJS.enc.Utf8.parse(request.body)).toString(CryptoJS.enc.Hex);
  const text = [request.method.toUpperCase(), path, query, date, nonce, contentSha256].join("\n");
  const signature = CryptoJS.HmacSHA256(text, credentials.secretKey).toString(CryptoJS.enc.Base64);
  return {
    authorization: "HMAC " + credentials.accessKey + ":" + signature,
    "x-date": date,
    "x-nonce": nonce,
    "x-content-sha256": contentSha256,
  };
}

function requiredVariable(name, value) {
  if (!value) throw new Error("the variable " + name + " is not set");
  return String(value);
}
// --- end of core ---

// Bruno resolves variables after this script, so it resolves them itself and puts the result back.
const variable = (name) => bru.getVar(name) || bru.getEnvVar(name) || bru.getProcessEnv(name);
const resolve = (text) =>
  text.replace(/\{\{\s*([\w.-]+)\s*\}\}/g, (_, name) =>
    requiredVariable(name, variable(name.replace(/^process\.env\./, ""))),
  );

const raw = req.getBody({ raw: true });
if (raw !== undefined && raw !== null && typeof raw !== "string") {
  throw new Error("not signing: the body must be JSON or text");
}
const headers = req.getHeaders();
const contentType = Object.keys(headers).find((name) => name.toLowerCase() === "content-type");
/** Bruno sends a JSON body without white space around it, and one that is no JSON as a string in JSON. */
const asSent = (text) => {
  if (text === "" || !/application\/json/i.test(headers[contentType])) return text;
  try {
    JSON.parse(text);
  } catch (error) {
    throw new Error("not signing: the body is declared as JSON, but is none: " + error.message);
  }
  return text.trim();
};
const resolved = asSent(resolve(raw || ""));
req.setUrl(resolve(req.getUrl()));
if (resolved !== "") req.setBody(resolved, { raw: true });
// A redirect would carry the signature along.
req.setMaxRedirects(0);
const signed = signCharterRequest(
  require("crypto-js"),
  { method: req.getMethod(), url: req.getUrl(), body: resolved },
  {
    baseUrl: requiredVariable("CHARTER_BASE_URL", variable("CHARTER_BASE_URL")),
    accessKey: requiredVariable("CHARTER_ACCESS_KEY", variable("CHARTER_ACCESS_KEY")),
    secretKey: requiredVariable("CHARTER_SECRET_KEY", variable("CHARTER_SECRET_KEY")),
  },
);
Object.keys(signed).forEach((name) => req.setHeader(name, signed[name]));
