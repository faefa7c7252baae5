// Reads the organization: set the three CHARTER_ variables, then `node organization.js`.
import { createFetch, credentialsFromEnv } from "charter-signing";

const signedFetch = createFetch(credentialsFromEnv());
const answer = await signedFetch("/organizations/info");
console.log(answer.status, await answer.text());
