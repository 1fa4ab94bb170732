// The chat page in Chromium: node page.mjs URL KEYED_URL KEY [--only WORDS] [--times] [--screenshots FOLDER]
//
// URL is a server without a key, KEYED_URL one that asks for KEY; both have the demo model. What that model would not say
// (markup, reasoning, errors) comes from scripts in a proxy before the server.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { check, Proxy, refusing, runAll, streaming, withChromium } from "./frame.mjs";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true, options: { only: { type: "string" }, screenshots: { type: "string" }, times: { type: "boolean" } },
});
const [serverUrl, keyedUrl, key] = positionals;
assert(key, "usage: page.mjs URL KEYED_URL KEY [--only WORDS] [--times] [--screenshots FOLDER]");
const proxy = await Proxy.start(serverUrl);
const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What a page must never do: throw, break its policy, or ask another host. */
const offences = [];

/** A tab with the page, and short words for what people do there. */
async function openTab(context, address = proxy.url) {
  const page = await context.newPage();
  page.on("pageerror", error => offences.push(`error: ${error.stack}`));
  page.on("console", message => {
    if (/Content Security Policy|Refused to/i.test(message.text())) offences.push(`policy: ${message.text()}`);
  });
  page.on("request", request => {
    const { protocol, host } = new URL(request.url());
    if (!["data:", "blob:"].includes(protocol) && host !== new URL(address).host) offences.push(`request: ${request.url()}`);
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

function pageCheck(name, run) {
  check(name, async context => {
    proxy.reset();
    offences.length = 0;
    await run(context);
    assertQuiet();
  });
}

const until = async (condition, what) => {
  for (const end = Date.now() + 10_000; !(await condition());) {
    if (Date.now() > end) throw new Error(`this did not come: ${what}`);
    await new Promise(done => setTimeout(done, 20));
  }
};

pageCheck("the server sends a strict policy", async () => {
  const { headers } = await fetch(serverUrl, { headers: { Accept: "text/html" } });
  const policy = headers.get("Content-Security-Policy") ?? "";
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /script-src 'sha256-/);
  assert.doesNotMatch(policy, /script-src[^;]*'unsafe-/);
});

pageCheck("a first answer", async context => {
  const page = await openTab(context);
  await page.getByText("nanocamelid-demo").waitFor();
  await page.send("Say hello in one sentence.");
  await page.idle();
  assert.match(await page.answers.locator(".content").innerText(), /Hello/);
  assert.match(await page.answers.locator(".foot").innerText(), /\d+ tokens\s+first after [\d.]+ s\s+prompt \d+, cached \d+/);
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
  const [, speed, tokens] = words.match(/([\d.]+) tokens\/s\s+(\d+) tokens/).map(Number);
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
  await page.getByText("Stopped.").waitFor();
  await until(() => isGone, "the end of the request");
  const text = await page.answers.locator(".content").innerText();
  await page.reload();
  assert.equal(await page.answers.locator(".content").innerText(), text);
});

pageCheck("a reload keeps the conversation, in the middle of an answer too", async context => {
  const page = await openTab(context);
  await page.send("Say hello in one sentence.");
  await page.idle();
  proxy.script = streaming(Array(500).fill("word "), { every: 20 });
  await page.send("Tell me a story.");
  await page.answers.getByText("word word word").waitFor();
  await page.reload();
  assert.deepEqual(await page.questions.locator(".content").allInnerTexts(), ["Say hello in one sentence.", "Tell me a story."]);
  assert.match(await page.answers.last().locator(".content").innerText(), /word word/);
  proxy.script = null;
  await page.button("Regenerate").last().click();
  await page.getByText("2 of 2").waitFor();
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
  for (const [label, value] of [["Temperature", "0.5"], ["Top p", "0.9"], ["Top k", "20"], ["Min p", "0.1"],
    ["Max tokens", "64"], ["Seed", "7"], ["System prompt", "Answer briefly."]]) await page.getByLabel(label).fill(value);
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

pageCheck("markup in questions and answers stays text", async context => {
  const attack = '<img src="http://evil.example/x" onerror="window.hit=1"><script>window.hit=1</script>' +
    '<a href="javascript:window.hit=1">a</a> [b](javascript:window.hit=1) [c](data:text/html,x) [d](//evil.example/y) ' +
    '![e](http://evil.example/image.png) [f](https://good.example/a_(b)) <svg onload=window.hit=1>';
  const page = await openTab(context);
  proxy.script = streaming([attack, "\n\n```html\n", attack, "\n```\n\n| ", attack, " |\n|---|\n| x |\n"]);
  await page.send(attack);
  await page.idle();
  assert.equal(await page.questions.locator(".content").innerText(), attack);
  assert.equal(await page.locator("#messages").locator("img, script, svg, iframe, style").count(), 0);
  const links = await page.answers.locator(".content a").evaluateAll(all => all.map(a => [a.href, a.rel, a.target]));
  const safe = href => [href, "noopener noreferrer", "_blank"];
  const expected = [safe("http://evil.example/image.png"), safe("https://good.example/a_(b)")];
  assert.deepEqual(links.slice(0, 3), [safe("http://evil.example/x"), ...expected]);
  assert(links.every(([href]) => /^https?:/.test(href)));
  await page.reload();
  await page.answers.first().waitFor();
  assert.equal(await page.evaluate(() => window.hit), undefined);
});

pageCheck("Markdown", async context => {
  const text = ["# Title", "Some *em*, **strong**, ***both***, ~~gone~~, `a * b`, snake_case_name, 2 * 3 * 4 and \\*this\\*.",
    "", "1. one", "2. two", "   - inner", "     more", "3. three", "", "- a", "- b", "", "> quoted", "> - item", "", "---",
    "Here:", "| a | b |", "|:--|--:|", "| `x\\|y` | **2** |", "", "```rust", "fn main() {}", "// *not em*", "```",
    "", "https://a.example/b."].join("\n");
  proxy.script = streaming(text.match(/[^]{1,3}/g));
  const page = await openTab(context);
  await page.send("Show me.");
  await page.idle();
  const html = await page.answers.locator(".content").evaluate(node => {
    for (const button of node.querySelectorAll("button")) button.remove();
    return node.innerHTML.replace(/ (rel|target|tabindex|role|aria-label|class)="[^"]*"/g, "");
  });
  assert.equal(html, "<h4>Title</h4><p>Some <em>em</em>, <strong>strong</strong>, <strong><em>both</em></strong>, " +
    "<del>gone</del>, <code>a * b</code>, snake_case_name, 2 * 3 * 4 and *this*.</p>" +
    "<ol><li><p>one</p></li><li><p>two</p><ul><li><p>inner<br>more</p></li></ul></li><li><p>three</p></li></ol>" +
    "<ul><li><p>a</p></li><li><p>b</p></li></ul><blockquote><p>quoted</p><ul><li><p>item</p></li></ul></blockquote><hr>" +
    "<p>Here:</p><div><table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td><code>x|y</code></td>" +
    "<td><strong>2</strong></td></tr></tbody></table></div>" +
    "<div><div><span>rust</span></div><pre><code>fn main() {}\n// *not em*</code></pre></div>" +
    '<p><a href="https://a.example/b">https://a.example/b</a>.</p>');
});

pageCheck("hostile Markdown takes little time", async context => {
  const page = await openTab(context);
  const patterns = ["*", "**", "_a", "`", "``a", "[", "![](", "[a](", "~~", ">", "> ", "- ", "  - ", "<", "http://", "|", "|-",
    "# ", "\\", "***a ", "*a**", "1. ", "\n", " \n", "```\n", "*a\n"];
  for (const pattern of patterns) {
    proxy.script = streaming([pattern.repeat(20_000)]);
    const start = Date.now();
    // By ids: names of ten thousand buttons take Playwright long.
    await page.locator("#new").click();
    await page.locator("#question").fill("Pattern");
    await page.locator("#question").press("Enter");
    await page.locator(".assistant:not([aria-busy])").waitFor();
    const took = Date.now() - start;
    if (flags.times) console.log(`${JSON.stringify(pattern)}: ${took} ms`);
    // What grows with the square of the text takes minutes.
    assert(took < 8000, `${JSON.stringify(pattern)} took ${took} ms`);
  }
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

pageCheck("edit, versions, regenerate", async context => {
  let n = 0;
  proxy.script = (request, response, { messages }) => streaming([`${messages.at(-1).content} ${n += 1}`])(request, response);
  const page = await openTab(context);
  await page.send("Red");
  await page.answers.getByText("Red 1").waitFor();
  await page.idle();
  await page.questions.getByText("Edit").click();
  await page.getByLabel("Edit the message").fill("Blue");
  await page.keyboard.press("Enter");
  await page.answers.getByText("Blue 2").waitFor();
  await page.idle();
  await page.button("Regenerate").click();
  await page.answers.getByText("Blue 3").waitFor();
  await page.idle();
  await page.answers.getByRole("button", { name: "Earlier version" }).click();
  await page.answers.getByText("Blue 2").waitFor();
  await page.questions.getByRole("button", { name: "Earlier version" }).click();
  await page.answers.getByText("Red 1").waitFor();
  await page.reload();
  await page.answers.getByText("Red 1").waitFor();
  await page.answers.getByText("Edit").click();
  await page.getByLabel("Edit the message").fill("Green");
  await page.keyboard.press("Escape");
  assert.equal(await page.answers.locator(".content").innerText(), "Red 1");
  await page.answers.getByText("Edit").click();
  await page.getByLabel("Edit the message").fill("Green");
  await page.button("Save").click();
  assert.equal(await page.answers.locator(".content").innerText(), "Green");
});

pageCheck("copy", async context => {
  proxy.script = streaming(["Text\n```\nlet x;\n```\n"]);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await openTab(context);
  const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
  await page.send("Code");
  await page.idle();
  await page.button("Copy code").click();
  assert.equal(await clipboard(), "let x;");
  await page.answers.getByRole("button", { name: "Copy", exact: true }).click();
  assert.equal(await clipboard(), "Text\n```\nlet x;\n```\n");
  // Over plain HTTP there is no navigator.clipboard.
  await page.evaluate(() => { navigator.clipboard.writeText = undefined; });
  await page.questions.getByRole("button", { name: "Copy", exact: true }).click();
  assert.equal(await clipboard(), "Code");
});

pageCheck("conversations: open, rename, delete", async context => {
  const page = await openTab(context);
  for (const text of ["Say hello in one sentence.", "What is GGUF?"]) {
    await page.button("New conversation").click();
    await page.send(text);
    await page.idle();
  }
  assert.deepEqual(await page.list.allInnerTexts(), ["What is GGUF?", "Say hello in one sentence."]);
  await page.list.last().click();
  await page.questions.getByText("Say hello in one sentence.").waitFor();
  await page.button("Rename Say hello in one sentence.").click();
  await page.locator("#ask input").fill("Greeting");
  await page.keyboard.press("Enter");
  await page.button("Delete Greeting").click();
  await page.button("Cancel").click();
  assert.deepEqual(await page.list.allInnerTexts(), ["What is GGUF?", "Greeting"]);
  await page.button("Delete Greeting").click();
  await page.button("Delete").click();
  await until(async () => await page.list.count() === 1, "one conversation");
  await page.reload();
  assert.deepEqual(await page.list.allInnerTexts(), ["What is GGUF?"]);
});

pageCheck("two tabs lose nothing of each other", async context => {
  const one = await openTab(context), two = await openTab(context);
  proxy.script = streaming(Array(60).fill("word "), { every: 25 });
  await one.send("First");
  await one.answers.getByText("word").first().waitFor();
  await two.send("Second");
  await until(async () => await one.list.count() === 2 && await two.list.count() === 2, "both conversations in both tabs");
  // Both tabs ask in the first conversation at the same time.
  await one.idle();
  await two.list.filter({ hasText: "First" }).click();
  await one.send("From one");
  await two.send("From two");
  await one.idle();
  await two.idle();
  await one.reload();
  const kept = () => one.evaluate(() => Object.keys(localStorage).filter(key => key.includes("conversation"))
    .flatMap(key => JSON.parse(localStorage.getItem(key)).messages.map(m => `${m.role}: ${m.content.slice(0, 8)}`)));
  assert.deepEqual((await kept()).sort(), [...Array(4).fill("assistant: word wor"), "user: First", "user: From one",
    "user: From two", "user: Second"].sort().map(line => line.slice(0, 19)));
  await one.list.filter({ hasText: "First" }).click();
  await two.button("Delete First").click();
  await two.button("Delete").last().click();
  await until(async () => await one.list.count() === 1 && await one.questions.count() === 0, "the other tab lets go");
});

pageCheck("export and import", async (context) => {
  const page = await openTab(context);
  await page.send("Say hello in one sentence.");
  await page.idle();
  const [download] = await Promise.all([page.waitForEvent("download"), page.button("Export").click()]);
  const file = await download.path();
  const buffer = await readFile(file);
  const upload = bytes => page.getByLabel("Import").setInputFiles({ name: "c.json", mimeType: "application/json", buffer: bytes });
  await page.evaluate(() => localStorage.clear());
  await page.reload();
  assert.equal(await page.list.count(), 0);
  await upload(buffer);
  await page.answers.getByText("Hello").waitFor();
  await upload(buffer);
  await page.reload();
  assert.equal(await page.answers.count(), 1, "a second import adds nothing");
  const damaged = JSON.parse(buffer);
  damaged.conversations[0].messages[0].parent = damaged.conversations[0].messages[1].id;
  for (const text of ["no JSON", "{}", "[1]", '{"conversations":[{"id":1}]}', JSON.stringify(damaged)]) {
    await upload(Buffer.from(text));
    await page.getByRole("alert").getByText("c.json holds no conversations").waitFor();
  }
});

pageCheck("damaged storage does no harm", async context => {
  const page = await openTab(context);
  await page.evaluate(() => {
    for (const [i, text] of ["", "{", "null", "[]", '{"id":"x"}', '{"id":"x","messages":[{}]}'].entries()) {
      localStorage.setItem(`nanocamelid.conversation.${i}`, text);
    }
    localStorage.setItem("nanocamelid.settings", "{");
  });
  await page.reload();
  await page.send("Say hello in one sentence.");
  await page.idle();
  assert.equal(await page.list.count(), 1);
});

pageCheck("full storage is said, and the conversation goes on", async context => {
  const page = await openTab(context);
  await page.evaluate(() => {
    let chunk = "x".repeat(1 << 20);
    for (let i = 0; chunk; i += 1) {
      try { localStorage.setItem(`filler${i}`, chunk); } catch { chunk = chunk.slice(1 + chunk.length / 2); }
    }
  });
  await page.send("Say hello in one sentence.");
  await page.getByRole("alert").getByText("no room").waitFor();
  await page.idle();
  await page.send("What is 3 + 4?");
  await until(async () => await page.answers.count() === 2, "a second answer");
  await page.idle();
  assert.equal(await page.questions.count(), 2);
});

pageCheck("errors are shown, and another try works", async context => {
  const page = await openTab(context);
  const errors = [
    [refusing(429, "too many requests wait", { "Retry-After": "5" }), /too many requests wait \(429\) Try again in 5 s\./],
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
  const page = await openTab(context);
  await page.getByText("nanocamelid-demo").waitFor();
  proxy.isDown = true;
  // The page is there already; it learns the model anew when it is loaded from the browser's memory.
  await page.evaluate(() => document.querySelector("#notice button").click());
  await page.send("Say hello in one sentence.");
  await page.locator(".error").getByText("There is no connection").waitFor();
  proxy.isDown = false;
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
});

const WIDE = ["A `" + "code".repeat(40) + "` and " + "word".repeat(60), "", "```", "x".repeat(300), "```", "",
  "| " + "a | ".repeat(20), "|" + "---|".repeat(20), "| " + "cell | ".repeat(20)].join("\n");

pageCheck("320 pixels are enough", async context => {
  proxy.script = streaming([WIDE]);
  const page = await openTab(context);
  await page.setViewportSize({ width: 320, height: 568 });
  await page.send("word".repeat(40));
  await page.idle();
  const fits = async () => assert.equal(await page.evaluate(() => Math.max(document.documentElement.scrollWidth,
    document.body.scrollWidth, document.querySelector("#messages").scrollWidth)), 320);
  await fits();
  assert(!await page.button("New conversation").isVisible());
  await page.button("Menu").click();
  await page.button("New conversation").waitFor();
  await fits();
  await page.keyboard.press("Escape");
  assert(!await page.button("New conversation").isVisible());
  await page.button("Settings").click();
  const box = await page.locator("#settings").boundingBox();
  assert(box.x >= 0 && box.x + box.width <= 320 && box.height <= 568, JSON.stringify(box));
  for (const name of ["Save", "Cancel"]) await page.button(name).scrollIntoViewIfNeeded();
});

pageCheck("the keyboard is enough", async context => {
  const page = await openTab(context);
  const focused = () => page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.id);
  assert.equal(await focused(), "question");
  await page.keyboard.type("Say hello");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("in one sentence.");
  assert.equal(await page.question.inputValue(), "Say hello\nin one sentence.");
  await page.keyboard.press("Enter");
  await page.answers.first().waitFor();
  await page.idle();
  assert.equal(await focused(), "question");
  proxy.script = streaming(Array(500).fill("word "), { every: 20 });
  await page.keyboard.type("More");
  await page.keyboard.press("Enter");
  await page.answers.getByText("word word").waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("Stopped.").waitFor();
  await page.reload();
  await page.evaluate(() => document.activeElement.blur());
  const seen = [];
  for (let i = 0; i < 30; i += 1) {
    await page.keyboard.press("Tab");
    const name = await focused();
    if (seen.includes("Skip to the message field") && name === "Skip to the message field") break;
    const isVisible = await page.evaluate(() => document.activeElement === document.body ||
      getComputedStyle(document.activeElement).outlineStyle !== "none");
    assert(isVisible, `${name.slice(0, 40)}: the focus is not visible`);
    seen.push(name);
  }
  for (const name of ["Skip to the message field", "Dark", "Settings", "New conversation", "Rename", "Delete", "Export",
    "Copy", "Edit", "Regenerate", "question"]) assert(seen.includes(name), `${name} is not reached: ${seen}`);
  await page.button("Settings").focus();
  await page.keyboard.press("Enter");
  await page.locator("#settings").waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await focused(), "Settings");
});

pageCheck("a screen reader hears an answer once", async context => {
  const page = await openTab(context);
  await page.evaluate(() => {
    window.heard = [];
    const status = document.querySelector("[role=status]");
    new MutationObserver(() => window.heard.push(status.textContent)).observe(status, { childList: true, subtree: true });
  });
  proxy.script = streaming(Array(50).fill("word "), { every: 5 });
  await page.send("Speak");
  await page.answers.first().waitFor();
  await page.idle();
  assert.deepEqual(await page.evaluate(() => window.heard), ["The model is answering.", `The answer: ${"word ".repeat(50)}`]);
  assert.equal(await page.locator("#messages [aria-live], #messages [role=log], #messages [role=alert]").count(), 0);
});

pageCheck("dark and light", async context => {
  const page = await openTab(context);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(await ground(), "rgb(255, 255, 255)");
  await page.emulateMedia({ colorScheme: "dark" });
  assert.equal(await ground(), "rgb(23, 23, 27)");
  await page.reload();
  assert.equal(await page.button("Dark").getAttribute("aria-pressed"), "true");
  await page.button("Dark").click();
  assert.equal(await ground(), "rgb(255, 255, 255)");
  await page.reload();
  assert.equal(await ground(), "rgb(255, 255, 255)");
  assert.equal(await page.button("Dark").getAttribute("aria-pressed"), "false");
});

pageCheck("axe finds nothing serious", async context => {
  proxy.script = streaming([{ reasoning_content: "Thoughts." }, "# Title\n\n[link](https://a.example) and `code`\n\n", WIDE]);
  const page = await openTab(context);
  await page.send("Everything");
  await page.idle();
  proxy.script = refusing(500, "it failed");
  await page.send("An error");
  await page.idle();
  await page.evaluate(axeSource);
  const inspect = async place => {
    const { violations } = await page.evaluate(() => window.axe.run(document));
    const bad = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
    assert.deepEqual(bad.map(({ id, nodes }) => `${place}: ${id}: ${nodes.map(node => node.html)}`), []);
  };
  await inspect("light");
  await page.button("Dark").click();
  await inspect("dark");
  await page.button("Settings").click();
  await inspect("settings");
  await page.keyboard.press("Escape");
  await page.setViewportSize({ width: 320, height: 568 });
  await inspect("phone");
  await page.button("Menu").click();
  await inspect("menu");
  await page.button("Delete Everything").click();
  await inspect("question");
});

if (flags.screenshots) {
  pageCheck("screenshots", async context => {
    const page = await openTab(context);
    await page.button("Settings").click();
    await page.getByLabel("Temperature").fill("0");
    await page.button("Save").click();
    for (const text of ["Say hello in one sentence.", "What is quantization?", "What is 3 + 4?"]) {
      await page.send(text);
      await page.idle();
    }
    await page.evaluate(() => document.activeElement.blur());
    await page.screenshot({ path: join(flags.screenshots, "page.png") });
    await page.setViewportSize({ width: 360, height: 640 });
    await page.emulateMedia({ colorScheme: "dark" });
    await page.screenshot({ path: join(flags.screenshots, "page-phone.png") });
  });
}

const passed = await withChromium(browser => runAll(browser, flags.only));
proxy.stop();
process.exitCode = passed ? 0 : 1;
