// One random walk through the definition: what Step Functions would do, with every expression's value checked.
"use strict";

const { isDeepStrictEqual } = require("node:util");
const { evaluate } = require("./evaluate.js");

const EXPRESSION = /^\{%([\s\S]*)%\}$/;
// Developer guide, "Wait workflow state".
const MOST_SECONDS = 99_999_999;

// Every way on, and every expression, by name: what the walks have to take and to evaluate.
function wanted(machine) {
  const ways = [];
  const expressions = [];
  const look = (node, path) => {
    if (typeof node === "string" && EXPRESSION.test(node)) expressions.push(path);
    else if (node !== null && typeof node === "object") Object.entries(node).forEach(([name, item]) => look(item, `${path}/${name}`));
  };
  for (const [name, { Comment, ...state }] of Object.entries(machine.States)) {
    look(state, name);
    for (const key of ["Next", "Default"]) if (state[key]) ways.push(`${name}/${key}`);
    (state.Choices ?? []).forEach((_, index) => ways.push(`${name}/Choices/${index}/Next`));
    (state.Catch ?? []).forEach(({ ErrorEquals }, index) => ErrorEquals.forEach((error) => ways.push(`${name}/Catch/${index}/${error}`)));
    if (["Succeed", "Fail"].includes(state.Type)) ways.push(`${name}/end`);
  }
  return [...ways, ...expressions];
}

class Walk {
  constructor(machine, answers, random, met) {
    Object.assign(this, { machine, answers, random, met });
    this.name = machine.StartAt;
    this.input = answers.input(random);
    this.trail = [];
  }

  // Goes on until the execution ends, or for as many states; throws what is wrong, with its place.
  async run(most) {
    for (let step = 0; step < most && this.name; step += 1) {
      this.trail.push(this.name);
      this.at = this.name;
      this.context = this.makeContext();
      const state = this.machine.States[this.name];
      await this[`do${state.Type}`](state);
    }
    return this.trail.length;
  }

  makeContext() {
    const redriven = this.random.chance(0.5) ? { RedriveCount: 1 + this.random.below(3) } : {};
    return {
      Execution: { Id: "arn:execution", Name: "deploy-1", StartTime: "2026-11-22T10:00:00Z", Input: this.input, ...redriven },
      State: { Name: this.name, EnteredTime: "2026-11-22T10:00:00Z", RetryCount: this.random.below(4) },
      StateMachine: { Id: "arn:stateMachine", Name: "ebbtide" },
    };
  }

  go(way, next) {
    this.met.add(`${this.name}/${way}`);
    this.name = next;
  }

  check(holds, path, message) {
    if (!holds) throw new Error(`${this.trail.at(-1)}/${path}: ${message}`);
  }

  // A template with its expressions' values in it.
  async fill(node, path, more = {}) {
    if (typeof node === "string" && EXPRESSION.test(node)) {
      this.at = `${this.name}/${path}`;
      this.met.add(this.at);
      const states = { input: this.input, context: this.context, ...more };
      try {
        return await evaluate(EXPRESSION.exec(node)[1].trim(), states);
      } catch (error) {
        throw new Error(`${this.at}: ${node}: ${error.message}`);
      }
    }
    if (Array.isArray(node)) return Promise.all(node.map((item, index) => this.fill(item, `${path}/${index}`, more)));
    if (node === null || typeof node !== "object") return node;
    const filled = {};
    for (const [name, item] of Object.entries(node)) filled[name] = await this.fill(item, `${path}/${name}`, more);
    return filled;
  }

  async doTask(state) {
    const { Payload } = await this.fill(state.Arguments, "Arguments");
    this.checkPayload(Payload);
    const catchers = (state.Catch ?? []).flatMap((catcher, index) => catcher.ErrorEquals.map((error) => ({ catcher, index, error })));
    if (catchers.length > 0 && this.random.chance(0.3)) {
      const { catcher, index, error } = this.random.pick(catchers);
      await this.output(catcher.Output, `Catch/${index}/Output`, { errorOutput: this.answers.failure(error, this.random) });
      this.go(`Catch/${index}/${error}`, catcher.Next);
    } else {
      const answer = this.answers.told(Payload.act ?? "plan", this.input, this.random);
      await this.output(state.Output, "Output", { result: { Payload: answer, StatusCode: 200 } });
      this.go("Next", state.Next);
    }
  }

  checkPayload(payload) {
    const { act, document, input, state, retries, redrives } = payload;
    if (act === undefined) {
      this.check(isDeepStrictEqual(input, this.input), "Arguments", "the input is not handed over as it is");
      const [strange] = this.answers.strange({ requested: input });
      this.check(!strange, "Arguments", strange);
      return;
    }
    this.check(isDeepStrictEqual(document, this.input), "Arguments", "the document is not handed over as it is");
    const [strange] = this.answers.strange(document);
    this.check(!strange, "Arguments", strange);
    this.check(state === this.name, "Arguments", `the state is ${state}`);
    const counts = Number.isInteger(retries) && Number.isInteger(redrives);
    this.check(counts, "Arguments", `retries ${retries}, redrives ${redrives}`);
  }

  // The next state's input. What was answered, and what was there, are in it as they were, lists of one entry too.
  async output(template, path, more = {}) {
    if (template === undefined) return;
    const made = await this.fill(template, path, more);
    const given = [this.input, ...Object.values(this.input), more.result?.Payload, more.errorOutput];
    const isGiven = (value) => given.some((it) => isDeepStrictEqual(it, value));
    const changed = isGiven(made) ? undefined : Object.keys(made).find((name) => !isGiven(made[name]));
    this.check(!changed, path, `${changed} is not what it was: ${JSON.stringify(made[changed])?.slice(0, 200)}`);
    this.input = made;
  }

  async doChoice(state) {
    for (const [index, choice] of state.Choices.entries()) {
      const holds = await this.fill(choice.Condition, `Choices/${index}/Condition`);
      this.check(typeof holds === "boolean", `Choices/${index}/Condition`, `${JSON.stringify(holds)} is no boolean`);
      if (holds) return this.go(`Choices/${index}/Next`, choice.Next);
    }
    return this.go("Default", state.Default);
  }

  async doWait(state) {
    const seconds = await this.fill(state.Seconds, "Seconds");
    const waits = Number.isInteger(seconds) && seconds >= 0 && seconds <= MOST_SECONDS;
    this.check(waits, "Seconds", `${JSON.stringify(seconds)} is no time to wait`);
    this.go("Next", state.Next);
  }

  async doPass(state) {
    await this.output(state.Output, "Output");
    this.go("Next", state.Next);
  }

  async doSucceed(state) {
    await this.fill(state.Output, "Output");
    this.go("end", null);
  }

  async doFail(state) {
    for (const key of ["Error", "Cause"]) {
      const text = await this.fill(state[key], key);
      this.check(typeof text === "string", key, `${JSON.stringify(text)} is no text`);
    }
    this.go("end", null);
  }
}

module.exports = { Walk, wanted };
