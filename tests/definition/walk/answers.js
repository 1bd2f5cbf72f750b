// What the functions answer: learnt from the examples that Rust keeps, varied, and recognized again.
//
// A list may have 0 to 3 entries of what any example has at its place; where one example has nothing and another something,
// either may come.
"use strict";

const kindOf = (value) => (value === null ? "null" : Array.isArray(value) ? "list" : typeof value);

// All that the examples have at one place of the document.
class Place {
  constructor() {
    this.kinds = new Set();
    this.examples = [];
    this.seen = 0;
    this.objects = 0;
    this.fields = new Map();
    this.entries = null;
  }

  field(name) {
    if (!this.fields.has(name)) this.fields.set(name, new Place());
    return this.fields.get(name);
  }

  learn(value) {
    const kind = kindOf(value);
    this.seen += 1;
    this.kinds.add(kind);
    if (kind !== "null") this.examples.push(value);
    if (kind === "list") {
      this.entries ??= new Place();
      value.forEach((entry) => this.entries.learn(entry));
    }
    if (kind === "object") {
      this.objects += 1;
      Object.entries(value).forEach(([name, item]) => this.field(name).learn(item));
    }
  }

  // Where the examples never show what a list or an option is made of.
  *unshown(path) {
    if (this.examples.length === 0) yield path;
    if (this.entries) yield* this.entries.unshown(`${path}[]`);
    for (const [name, place] of this.fields) yield* place.unshown(`${path}.${name}`);
  }

  vary(value, random) {
    const optional = this.kinds.has("null") && this.examples.length > 0;
    const here = optional ? (random.chance(0.5) ? null : random.pick(this.examples)) : value;
    switch (kindOf(here)) {
      case "list":
        return Array.from({ length: random.below(4) }, () => this.entries.vary(random.pick(this.entries.examples), random));
      case "object":
        return Object.fromEntries(Object.entries(here).map(([name, item]) => [name, this.field(name).vary(item, random)]));
      default:
        return here;
    }
  }

  // What is not as in any example.
  *strange(value, path) {
    const kind = kindOf(value);
    if (!this.kinds.has(kind)) yield `${path} is a ${kind} where the functions have a ${[...this.kinds].join(" or ")}`;
    else if (kind === "list") for (const entry of value) yield* this.entries.strange(entry, `${path}[]`);
    else if (kind === "object") {
      for (const [name, item] of Object.entries(value)) {
        if (this.fields.has(name)) yield* this.field(name).strange(item, `${path}.${name}`);
        else yield `${path}.${name} is unknown to the functions`;
      }
      for (const [name, place] of this.fields) {
        if (place.seen === this.objects && !(name in value)) yield `${path}.${name} is missing`;
      }
    }
  }
}

class Answers {
  constructor(kept) {
    this.kept = kept;
    this.places = new Map();
    const { inputs, handedOn, ...told } = kept;
    const learn = (name, value) => this.place(name).learn(value);
    inputs.forEach((input) => learn("requested", input));
    for (const document of Object.values(told).flat()) Object.entries(document).forEach(([name, value]) => learn(name, value));
    this.place("continued").learn(true);
  }

  place(name) {
    if (!this.places.has(name)) this.places.set(name, new Place());
    return this.places.get(name);
  }

  unshown() {
    return [...this.places].flatMap(([name, place]) => [...place.unshown(name)]);
  }

  // The input of an execution: a new one's, or what another one has handed on.
  input(random) {
    if (random.chance(0.7)) return this.place("requested").vary(random.pick(this.kept.inputs), random);
    const handed = Object.entries(random.pick(this.kept.handedOn));
    return Object.fromEntries(handed.map(([name, value]) => [name, value === null ? null : this.place(name).vary(value, random)]));
  }

  // What a Task is answered. Only the ask for a rollback is told that its wish was heard.
  told(act, document, random) {
    const wish = document.plan?.next === "wish";
    const suits = (it) => !it.record || act !== "claim" || (it.record.next === "told") === wish;
    const told = this.kept[act].filter(suits).map((it) => Object.entries(it)[0]);
    // A word of few examples is as likely as one of many.
    const wordOf = ([, value]) => value.next ?? value.verdict;
    const word = random.pick([...new Set(told.map(wordOf))]);
    const [name, value] = random.pick(told.filter((it) => wordOf(it) === word));
    return this.place(name).vary(value, random);
  }

  // What a Catch sees of an error.
  failure(error, random) {
    const [known] = Object.values(random.pick(this.kept.caught));
    return { ...known, Error: error };
  }

  // What is wrong with a document that is handed to a function.
  strange(document) {
    const wrong = ([name, value]) => {
      if (!this.places.has(name)) return [`document.${name} is unknown to the functions`];
      return value === null ? [] : [...this.place(name).strange(value, `document.${name}`)];
    };
    return kindOf(document) === "object" ? Object.entries(document).flatMap(wrong) : ["document is no object"];
  }
}

module.exports = { Answers, kindOf };
