// Packages come from the folder that INTEROP_PACKAGES names: these files lie elsewhere.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = process.env.INTEROP_PACKAGES;
const require = createRequire(folder + "/index.js");

/** Import a module of a package there. */
export async function load(specifier) {
  let path;
  try {
    path = require.resolve(specifier);
  } catch (error) {
    if (error.code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw error;
    path = findModule(specifier);
  }
  return await import(pathToFileURL(path).href);
}

/** The file of a package that only modules may import. */
function findModule(specifier) {
  const [, name, entry] = specifier.match(/^((?:@[^/]+\/)?[^/]+)(.*)$/);
  const root = join(folder, "node_modules", name);
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf-8"));
  return join(root, exports["." + entry].import);
}
