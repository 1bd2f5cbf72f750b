// Walks a state machine at random and prints what is wrong and what was never met, as JSON. As many walks as asked for, and
// more while nothing is wrong and something was not met: chance alone must not fail a test.
// Reads {machine, answers, seed, walks, steps, most}, where `most` errors end it; `tests/definition/test_walks.py` calls it.
"use strict";

const { readFileSync } = require("node:fs");
const { Answers } = require("./answers.js");
const { Walk, wanted } = require("./walk.js");

const PATIENCE = 6;

// Mulberry32: the same seed, the same walks.
function randomOf(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (most) => Math.floor(next() * most);
  return { below, chance: (share) => next() < share, pick: (items) => items[below(items.length)] };
}

async function main({ machine, answers: kept, seed, walks, steps, most }) {
  const answers = new Answers(kept);
  const random = randomOf(seed);
  const met = new Set();
  const wrong = new Map();
  let entered = 0;
  const unmet = () => wanted(machine).filter((it) => !met.has(it));
  const goesOn = (count) => count < walks || (wrong.size === 0 && count < PATIENCE * walks && unmet().length > 0);
  for (let count = 0; goesOn(count) && wrong.size < most; count += 1) {
    const walk = new Walk(machine, answers, random, met);
    try {
      entered += await walk.run(steps);
    } catch (error) {
      if (!wrong.has(walk.at)) wrong.set(walk.at, `${error.message} (after ${walk.trail.slice(-6).join(", ")})`);
    }
  }
  console.log(JSON.stringify({ wrong: [...wrong.values()], unmet: unmet(), unshown: answers.unshown(), entered }));
}

main(JSON.parse(readFileSync(0, "utf8")));
