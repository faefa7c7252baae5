/** Where one begins. */

export const HOME = "/workbench/policies";
