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

// What a GET and these are sent with, unless a setting of the request says otherwise: no body.
const WITHOUT_BODY = ["GET", "HEAD", "COPY", "PURGE", "UNLOCK"];

// Postman resolves variables after this script, so it resolves them itself and puts the result back.
const resolveBody = (body) => {
  if (!body || body.disabled || body.isEmpty()) return "";
  if (body.mode !== "raw") throw new Error("not signing: the body must be raw");
  const bodiless = WITHOUT_BODY.includes(pm.request.method.toUpperCase());
  const raw = bodiless ? "" : pm.variables.replaceIn(body.raw);
  const language = body.options && body.options.raw && body.options.raw.language;
  if (/\/[/*]/.test(raw) && (!language || language === "json")) {
    try {
      JSON.parse(raw);
    } catch (error) {
      throw new Error("not signing: Postman takes comments out of a JSON body on its way; leave them out");
    }
  }
  body.update({ mode: "raw", raw, options: body.options });
  return raw;
};

const sign = () => {
  const variable = (name) => requiredVariable(name, pm.variables.get(name));
  const body = resolveBody(pm.request.body);
  const url = pm.variables.replaceIn(pm.request.url.toString());
  pm.request.url.update(url);
  const signed = signCharterRequest(
    require("crypto-js"),
    { method: pm.request.method, url, body },
    {
      baseUrl: variable("CHARTER_BASE_URL"),
      accessKey: variable("CHARTER_ACCESS_KEY"),
      secretKey: variable("CHARTER_SECRET_KEY"),
    },
  );
  Object.keys(signed).forEach((name) => pm.request.headers.upsert({ key: name, value: signed[name] }));
};

try {
  sign();
} catch (error) {
  // A script that fails does not keep Postman from sending.
  if (pm.execution && pm.execution.skipRequest) {
    pm.test("Charter: " + error.message, () => {
      throw error;
    });
    pm.execution.skipRequest();
  }
  throw error;
}
