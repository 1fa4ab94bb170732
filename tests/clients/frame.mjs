// What the checks in JavaScript stand on: the server under test, named checks, and a total.
import assert from "node:assert/strict";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true, options: { key: { type: "string" }, only: { type: "string", default: "" } },
});
export const [url, model] = positionals;
assert(model, "usage: run.mjs URL MODEL [--key KEY] [--only WORDS]");
export const hasKey = values.key !== undefined;
// The SDKs want one.
export const key = values.key ?? "any-text";
export const HELLO = [{ role: "user", content: "Say hello in one sentence." }];
export const STORY = [{ role: "user", content: "Tell me a short story about a camel." }];
export const ASK = [{ role: "user", content: "Turn on the kitchen light." }];
export const LIGHT = {
  type: "object",
  properties: { room: { enum: ["kitchen", "hall"] }, on: { type: "boolean" } },
  required: ["room", "on"],
  additionalProperties: false,
};

/** Fails unless these are arguments that LIGHT allows. */
export function assertFitsLight(value) {
  assert.deepEqual(Object.keys(value).sort(), ["on", "room"]);
  assert(LIGHT.properties.room.enum.includes(value.room) && typeof value.on === "boolean", JSON.stringify(value));
}

const LIMIT_MS = 60_000;
const checks = [];

/** Adds a check: an async function that throws what is wrong. */
export const check = (name, run) => checks.push({ name, run });

/** Runs the checks one after another; prints a line for each and the total. */
export async function runAll() {
  let passed = 0, failed = 0;
  for (const { name, run } of checks.filter(({ name }) => name.includes(values.only))) {
    let timer;
    const limit = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("the check took too long")), LIMIT_MS);
    });
    try {
      await Promise.race([run(), limit]);
      console.log(`ok      ${name}`);
      passed += 1;
    } catch (error) {
      console.log(`FAILED  ${name}: ${error.stack.slice(0, 600)}`);
      failed += 1;
    }
    clearTimeout(timer);
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
