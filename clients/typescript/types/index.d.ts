export { DEFAULT_MAX_STREAM_BYTES } from "./body.js";
export { SigningError } from "./error.js";
export type Body = import("./body.js").Body;
export type Credentials = import("./fetch.js").Credentials;
export type SignedInit = import("./fetch.js").SignedInit;
export type SignedHeaders = import("./sign.js").SignedHeaders;
export type ToSign = import("./sign.js").ToSign;
export { createFetch, credentialsFromEnv, signedFetch } from "./fetch.js";
export { sha256Hex, sign, stringToSign } from "./sign.js";
