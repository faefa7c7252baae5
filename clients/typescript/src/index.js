// Signs requests to Charter, in Node and in browsers: WebCrypto and fetch, nothing else.

export { DEFAULT_MAX_STREAM_BYTES } from "./body.js";
export { SigningError } from "./error.js";
export { createFetch, credentialsFromEnv, signedFetch } from "./fetch.js";
export { sha256Hex, sign, stringToSign } from "./sign.js";

/** @typedef {import("./body.js").Body} Body */
/** @typedef {import("./fetch.js").Credentials} Credentials */
/** @typedef {import("./fetch.js").SignedInit} SignedInit */
/** @typedef {import("./sign.js").SignedHeaders} SignedHeaders */
/** @typedef {import("./sign.js").ToSign} ToSign */
