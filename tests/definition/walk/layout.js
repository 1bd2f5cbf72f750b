// Lays a graph out with Graphviz: DOT on standard input, SVG on standard output. `tests/definition/picture.py` calls it.
"use strict";

const { readFileSync } = require("node:fs");
const { instance } = require("@viz-js/viz");

instance().then((graphviz) => {
  process.stdout.write(graphviz.renderString(readFileSync(0, "utf8"), { format: "svg" }));
});
