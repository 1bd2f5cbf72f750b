// One expression as Step Functions evaluates it: with $states and nothing else, without $eval, and with a value of JSON.
// Source: Step Functions developer guide, "Transforming data with JSONata", which names version 2.0.6 too.
//
// Stricter than Step Functions in one thing: a path that leads to nothing is refused wherever it stands, also where JSONata
// would quietly drop the key that it was for, or compare nothing with a word. What $exists asks for, and what a condition
// guards, may be missing.
"use strict";

const jsonata = require("jsonata");

const parsed = new Map();

function parse(text) {
  if (!parsed.has(text)) {
    const expression = jsonata(text);
    parsed.set(text, { expression, paths: paths(expression.ast()) });
  }
  return parsed.get(text);
}

// The paths from $states that always have to lead somewhere, each as a list of names.
function paths(node) {
  if (node === null || typeof node !== "object") return [];
  if (node.type === "condition") return paths(node.condition);
  if (node.type === "function" && node.procedure?.value === "exists") return [];
  const own = node.type === "path" && node.steps[0].type === "variable" && node.steps[0].value === "states";
  const names = own ? [node.steps.slice(1).filter((step) => step.type === "name").map((step) => step.value)] : [];
  return names.concat(...Object.values(node).map(paths));
}

function leads(path, states) {
  let value = states;
  for (const name of path) {
    if (Array.isArray(value)) return true;
    value = value === null ? undefined : value[name];
    if (value === undefined) return false;
  }
  return true;
}

// What cannot be told as JSON, by its path.
function notJson(value, path = "") {
  if (Array.isArray(value)) return value.flatMap((item, index) => notJson(item, `${path}[${index}]`));
  if (value !== null && typeof value === "object" && typeof value !== "function") {
    return Object.entries(value).flatMap(([name, item]) => notJson(item, `${path}.${name}`));
  }
  const told = value === null || ["string", "boolean"].includes(typeof value) || Number.isFinite(value);
  return told ? [] : [`${path || "it"} is ${typeof value}`];
}

async function evaluate(text, states) {
  const { expression, paths: needed } = parse(text);
  const missing = needed.filter((path) => !leads(path, states));
  if (missing.length > 0) throw new Error(`$states.${missing[0].join(".")} is undefined`);
  const value = await expression.evaluate(undefined, { states, eval: undefined });
  if (value === undefined) throw new Error("it is undefined");
  const [wrong] = notJson(value);
  if (wrong) throw new Error(wrong);
  return JSON.parse(JSON.stringify(value));
}

module.exports = { evaluate };
