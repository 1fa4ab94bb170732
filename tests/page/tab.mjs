// The command line, and tabs with the page.
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { check } from "./frame.mjs";
import { Proxy } from "./proxy.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: "string" }, screenshots: { type: "string" }, times: { type: "boolean" } },
});
export const flags = values;
export const [serverUrl, keyedUrl, key] = positionals;
assert(key, "usage: page.mjs URL KEYED_URL KEY [--only WORDS] [--times] [--screenshots FOLDER]");
/** What the checks open instead of serverUrl. */
export const proxy = await Proxy.start(serverUrl);

/** What a page must never do: throw, break its policy, or ask another host. */
const offences = [];

/** A tab with the page, and short words for what people do there. */
export async function openTab(context, address = proxy.url) {
  const page = await context.newPage();
  page.on("pageerror", error => offences.push(`error: ${error.stack}`));
  page.on("console", message => {
    if (/Content Security Policy|Refused to/i.test(message.text())) offences.push(`policy: ${message.text()}`);
  });
  page.on("request", request => {
    const { protocol, host } = new URL(request.url());
    const isOwn = host === new URL(address).host || ["data:", "blob:"].includes(protocol);
    if (!isOwn) offences.push(`request: ${request.url()}`);
  });
  await page.goto(address);
  return Object.assign(page, {
    question: page.getByRole("textbox", { name: "Message" }),
    answers: page.locator(".message.assistant"),
    questions: page.locator(".message.user"),
    list: page.getByRole("navigation", { name: "Conversations" }).locator("button.title"),
    button: name => page.getByRole("button", { name, exact: true }),
    async send(text) {
      await page.question.fill(text);
      await page.question.press("Enter");
    },
    async idle() {
      await page.button("Send").waitFor();
    },
  });
}

/** Fails unless nothing has gone wrong in any tab since the last call. */
function assertQuiet() {
  assert.deepEqual(offences.splice(0), []);
}

export function pageCheck(name, run) {
  check(name, async context => {
    proxy.reset();
    offences.length = 0;
    await run(context);
    assertQuiet();
  });
}

export const until = async (condition, what) => {
  for (const end = Date.now() + 10_000; !(await condition());) {
    if (Date.now() > end) throw new Error(`this did not come: ${what}`);
    await new Promise(done => setTimeout(done, 20));
  }
};
