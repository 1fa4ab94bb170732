// Answers: shown as they come, stopped, measured, asked for with the settings, and what happens when they fail.
import assert from "node:assert/strict";
import { refusing, streaming } from "./proxy.mjs";
import { key, keyedUrl, openTab, pageCheck, proxy, serverUrl, until } from "./tab.mjs";

pageCheck("the server sends a strict policy", async () => {
  const { headers } = await fetch(serverUrl, { headers: { Accept: "text/html" } });
  const policy = headers.get("Content-Security-Policy") ?? "";
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /script-src '(nonce|sha256)-/);
  assert.doesNotMatch(policy, /script-src[^;]*'unsafe-/);
});

pageCheck("a first answer", async context => {
  const page = await openTab(context);
  await page.getByText("nanocamelid-demo").waitFor();
  await page.send("Say hello in one sentence.");
  await page.idle();
  assert.match(await page.answers.locator(".content").innerText(), /Hello/);
  const numbers = await page.answers.locator(".foot").innerText();
  assert.match(numbers, /\d+ tokens · first after [\d.]+ s · prompt \d+, cached \d+/);
  await page.send("What is 3 + 4?");
  await until(async () => await page.answers.count() === 2, "a second answer");
  await page.idle();
  assert.equal(await page.question.inputValue(), "");
});

pageCheck("numbers of an answer", async context => {
  proxy.script = streaming(Array(21).fill("word "), { every: 25 });
  const page = await openTab(context);
  await page.send("Count");
  await page.answers.getByText("prompt 9, cached 7").waitFor();
  const words = await page.answers.locator(".foot").innerText();
  const [, speed, tokens] = words.match(/([\d.]+) tokens\/s · (\d+) tokens/).map(Number);
  assert.equal(tokens, 21);
  assert(speed > 5 && speed < 45, `one token in 25 ms are at most 40 tokens/s: ${words}`);
});

pageCheck("an answer stops", async context => {
  let isGone = false;
  const script = streaming(Array(500).fill("word "), { every: 20 });
  proxy.script = (request, response, body) => {
    response.on("close", () => { isGone = true; });
    return script(request, response, body);
  };
  const page = await openTab(context);
  await page.send("Tell me a story.");
  await page.answers.getByText("word word").waitFor();
  await page.button("Stop").click();
  await page.getByText("stopped").waitFor();
  await until(() => isGone, "the end of the request");
  const text = await page.answers.locator(".content").innerText();
  await page.reload();
  assert.equal(await page.answers.locator(".content").innerText(), text);
});

pageCheck("the request has the settings and the system prompt, and no others", async context => {
  const bodies = [];
  proxy.script = (request, response, body) => {
    bodies.push(body);
    return streaming(["Yes."])(request, response, body);
  };
  const page = await openTab(context);
  await page.send("One");
  await page.idle();
  assert.deepEqual(bodies[0].messages, [{ role: "user", content: "One" }]);
  const known = ["messages", "model", "stream", "stream_options"];
  assert.deepEqual(Object.keys(bodies[0]).sort(), known);
  await page.button("Settings").click();
  const filled = { "Temperature": "0.5", "Top p": "0.9", "Top k": "20", "Min p": "0.1", "Max tokens": "64", "Seed": "7",
    "System prompt": "Answer briefly." };
  for (const [label, value] of Object.entries(filled)) await page.getByLabel(label).fill(value);
  await page.getByLabel("Reasoning").selectOption("Off");
  await page.button("Save").click();
  await page.send("Two");
  await until(() => bodies.length === 2, "a second request");
  await page.idle();
  const { messages, temperature, top_p, top_k, min_p, max_tokens, seed, chat_template_kwargs } = bodies[1];
  assert.deepEqual(messages.map(m => `${m.role}: ${m.content}`),
    ["system: Answer briefly.", "user: One", "assistant: Yes.", "user: Two"]);
  assert.deepEqual([temperature, top_p, top_k, min_p, max_tokens, seed, chat_template_kwargs],
    [0.5, 0.9, 20, 0.1, 64, 7, { enable_thinking: false }]);
  await page.button("Settings").click();
  await page.getByLabel("Temperature").fill("9");
  await page.button("Save").click();
  assert(await page.locator("#settings").isVisible(), "a temperature of 9 is not accepted");
  await page.button("Cancel").click();
  await page.button("Settings").click();
  assert.equal(await page.getByLabel("Temperature").inputValue(), "0.5");
});

pageCheck("reasoning is folded", async context => {
  proxy.script = streaming([{ reasoning_content: "First <b>I</b> " }, { reasoning_content: "think." }, "Forty-two."]);
  const page = await openTab(context);
  await page.send("Why?");
  await page.idle();
  assert.equal(await page.answers.locator(".content").innerText(), "Forty-two.");
  assert(!await page.getByText("First <b>I</b> think.").isVisible());
  await page.getByText("Reasoning", { exact: true }).click();
  assert(await page.getByText("First <b>I</b> think.").isVisible());
});

pageCheck("errors are shown, and another try works", async context => {
  const page = await openTab(context);
  const errors = [
    [refusing(429, "the queue is full", { "Retry-After": "5" }), /the queue is full \(429\) Try again in 5 s\./],
    [refusing(400, "the prompt has 900 tokens"), /the prompt has 900 tokens \(400\)/],
    [(_, response) => response.writeHead(502).end("<h1>Bad gateway</h1>"), /<h1>Bad gateway<\/h1> \(502\)/],
    [(request) => request.socket.destroy(), /There is no connection to the server\./],
    [streaming(["half "], { ending: "error" }), /the slot was taken away/],
    [streaming(["half "], { ending: "cut" }), /There is no connection to the server\./],
    [(_, response) => response.end(""), /The connection ended before the answer was complete\./],
  ];
  for (const [script, words] of errors) {
    proxy.script = script;
    await page.send("Say hello in one sentence.");
    await page.idle();
    assert.match(await page.answers.last().locator(".error").innerText(), words);
  }
  proxy.script = null;
  await page.button("Try again").last().click();
  await page.answers.last().getByText("first after").waitFor();
  assert.match(await page.answers.last().locator(".content").innerText(), /\w/);
  assert.equal(await page.answers.last().locator(".error").count(), 0);
});

pageCheck("a server that is away is said, and found again", async context => {
  await context.route("**/v1/models", route => route.abort());
  const page = await openTab(context);
  await page.getByRole("alert").getByText("There is no connection").waitFor();
  await context.unroute("**/v1/models");
  await page.button("Try again").click();
  await page.getByText("nanocamelid-demo").waitFor();
  assert(!await page.getByRole("alert").isVisible());
  proxy.isDown = true;
  await page.send("Say hello in one sentence.");
  await page.locator(".error").getByText("There is no connection").waitFor();
  proxy.isDown = false;
  await context.route("**/v1/models", route => route.fulfill({ json: { data: [{ id: "another-model" }] } }));
  await page.button("Try again").last().click();
  await page.answers.getByText("another-model").waitFor();
  await context.unroute("**/v1/models");
  await page.button("Try again").last().click();
  await page.answers.getByText("Hello").waitFor();
});

pageCheck("an API key is asked for, and kept for the session only", async context => {
  const page = await openTab(context, keyedUrl);
  await page.getByRole("heading", { name: "The server asks for its API key" }).waitFor();
  await page.locator("#ask input").fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "The server refused this API key" }).waitFor();
  await page.locator("#ask input").fill(key);
  await page.keyboard.press("Enter");
  await page.getByText("nanocamelid-demo").waitFor();
  await page.send("Say hello in one sentence.");
  await page.answers.getByText("Hello").waitFor();
  await page.idle();
  assert(!await page.evaluate(secret => JSON.stringify({ ...localStorage }).includes(secret), key));
  await page.reload();
  await page.getByText("nanocamelid-demo").waitFor();
  const other = await openTab(context, keyedUrl);
  await other.getByRole("heading", { name: "The server asks for its API key" }).waitFor();
  await other.button("Cancel").click();
  await other.getByRole("alert").getByText("(401)").waitFor();
  // Who does not know the key is asked again only on request.
  await other.waitForTimeout(6000);
  assert(!await other.locator("#ask").isVisible());
  await other.button("Try again").click();
  await other.getByRole("heading", { name: "The server asks for its API key" }).waitFor();
});
