/** The API to browse and to try: Swagger UI with credentials of our own. */

import { watchKind, withCredentials } from "./credentials.js";
import { nameControls } from "./names.js";

/**
 * Parts of Swagger UI that are put in the place of its own (its documentation: "plugin API").
 *
 * @param {{React: any, specSelectors: any}} system
 */
function plugin({ React, specSelectors }) {
  const nothing = () => null;
  return {
    components: {
      // Signing takes more than a header to fill in: the form above the description has it.
      AuthorizeBtnContainer: nothing,
      authorizeOperationBtn: nothing,
      // There is this server only.
      ServersContainer: nothing,
      // A link within a button is neither.
      DeepLink: (/** @type {{text: unknown}} */ { text }) => React.createElement("span", null, text),
    },
    wrapComponents: {
      OperationSummaryPath: (/** @type {unknown} */ Original) => (/** @type {any} */ props) => {
        const at = ["paths", props.operationProps.get("path"), props.operationProps.get("method"), "x-permission"];
        const permission = specSelectors.specJson().getIn(at);
        const path = React.createElement(Original, { key: "path", ...props });
        return [path, permission && React.createElement("span", { key: "permission", className: "permission" }, ...broken(React, permission))];
      },
    },
  };
}

/**
 * With a place to break at.
 *
 * @param {any} React
 * @param {string} permission
 */
function broken(React, permission) {
  const [group, ...name] = permission.split(":");
  return [`${group}:`, React.createElement("wbr", { key: "break" }), name.join(":")];
}

function followScheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", follow);
  follow();
}

followScheme();
watchKind();
nameControls(document.body);
/** @type {any} */ (globalThis).SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
  plugins: [plugin],
  requestInterceptor: withCredentials,
});
