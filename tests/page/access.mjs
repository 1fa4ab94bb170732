// Small screens, keyboards, screen readers, dark and light.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { refusing, streaming } from "./proxy.mjs";
import { openTab, pageCheck, proxy } from "./tab.mjs";

const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
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
  await page.getByText("stopped").waitFor();
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
    const listener = new MutationObserver(() => window.heard.push(status.textContent));
    listener.observe(status, { childList: true, subtree: true });
  });
  proxy.script = streaming(Array(50).fill("word "), { every: 5 });
  await page.send("Speak");
  await page.answers.first().waitFor();
  await page.idle();
  const heard = await page.evaluate(() => window.heard);
  assert.deepEqual(heard, ["The model is answering.", `The answer: ${"word ".repeat(50)}`]);
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
  const answer = "# Title\n\n[link](https://a.example) and `code`\n\n";
  proxy.script = streaming([{ reasoning_content: "Thoughts." }, answer, WIDE]);
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
