// Conversations in the browser's storage.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { streaming } from "./proxy.mjs";
import { openTab, pageCheck, proxy, until } from "./tab.mjs";

pageCheck("a reload keeps the conversation, in the middle of an answer too", async context => {
  const page = await openTab(context);
  await page.send("Say hello in one sentence.");
  await page.idle();
  proxy.script = streaming(Array(500).fill("word "), { every: 20 });
  await page.send("Tell me a story.");
  await page.answers.getByText("word word word").waitFor();
  await page.reload();
  const questions = await page.questions.locator(".content").allInnerTexts();
  assert.deepEqual(questions, ["Say hello in one sentence.", "Tell me a story."]);
  assert.match(await page.answers.last().locator(".content").innerText(), /word word/);
  proxy.script = null;
  await page.button("Regenerate").last().click();
  await page.getByText("2 of 2").waitFor();
});

pageCheck("edit, versions, regenerate", async context => {
  let n = 0;
  proxy.script = (request, response, { messages }) => {
    n += 1;
    return streaming([`${messages.at(-1).content} ${n}`])(request, response);
  };
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
  for (const tab of [one, two]) await until(async () => await tab.list.count() === 2, "both conversations");
  // Both tabs ask in the first conversation at the same time.
  await one.idle();
  await two.list.filter({ hasText: "First" }).click();
  await one.send("From one");
  await two.send("From two");
  await one.idle();
  await two.idle();
  await one.reload();
  const kept = () => one.evaluate(() => Object.keys(localStorage).filter(key => key.includes("conversation"))
    .flatMap(key => JSON.parse(localStorage.getItem(key)).messages.map(m => m.content)).sort());
  assert.deepEqual(await kept(), ["First", "From one", "From two", "Second", ...Array(4).fill("word ".repeat(60))]);
  await one.list.filter({ hasText: "First" }).click();
  await two.button("Delete First").click();
  await two.button("Delete").last().click();
  await until(async () => await one.list.count() === 1 && await one.questions.count() === 0, "the other tab lets go");
});

pageCheck("export and import", async context => {
  const page = await openTab(context);
  await page.send("Say hello in one sentence.");
  await page.idle();
  const [download] = await Promise.all([page.waitForEvent("download"), page.button("Export").click()]);
  const buffer = await readFile(await download.path());
  const upload = bytes => {
    const file = { name: "c.json", mimeType: "application/json", buffer: bytes };
    return page.getByLabel("Import").setInputFiles(file);
  };
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
