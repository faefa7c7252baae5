/** Fields that several pages have. */

import { textField } from "../shared/field.js";

/**
 * @param {string} name
 * @param {string} value
 */
export function slugField(name, value) {
  return textField({
    name,
    label: "Slug",
    value,
    mono: true,
    maxlength: 63,
    hint: "3 to 63 lowercase letters, digits and single hyphens; unique. For example: acme-labs.",
  });
}

/**
 * @param {string} name
 * @param {string} label
 */
export function newPasswordField(name, label) {
  return textField({
    name,
    label,
    type: "password",
    autocomplete: "new-password",
    minlength: 8,
    hint: "At least 8 characters. Longer is better; a few words are good.",
  });
}
