// Packages come from the folder that INTEROP_PACKAGES names: these files lie elsewhere.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.INTEROP_PACKAGES + "/index.js");

/** Import a module of a package there. */
export async function load(specifier) {
  try {
    return await import(pathToFileURL(require.resolve(specifier)).href);
  } catch (error) {
    if (error.code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw error;
    return await import(import.meta.resolve(specifier, pathToFileURL(process.env.INTEROP_PACKAGES + "/index.js")));
  }
}
