// Anthropic's SDK for JavaScript.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { ASK, assertFitsLight, check, HELLO, key, LIGHT, model, STORY, url } from "./frame.mjs";

const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0, timeout: 50_000 });
const ask = { model, messages: HELLO, max_tokens: 40 };
const tools = [{ name: "set_light", description: "Switches a light.", input_schema: LIGHT }];

check("anthropic: a message and its stream", async () => {
  const { content: [block], stop_reason } = await client.messages.create(ask);
  assert(block.text.includes("Hello") && stop_reason === "end_turn");
  const stream = client.messages.stream(ask);
  let text = "";
  stream.on("text", piece => { text += piece; });
  const final = await stream.finalMessage();
  assert(text.includes("Hello") && text === final.content[0].text && final.usage.output_tokens > 0);
});

check("anthropic: a call and its result", async () => {
  const options = { model, messages: ASK, tools, tool_choice: { type: "any" }, max_tokens: 100 };
  const { content, stop_reason } = await client.messages.stream(options).finalMessage();
  const calls = content.filter(({ type }) => type === "tool_use");
  assert(stop_reason === "tool_use" && calls.length > 0);
  for (const { input } of calls) assertFitsLight(input);
  const results = calls.map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: "done" }));
  const messages = [...ASK, { role: "assistant", content }, { role: "user", content: results }];
  assert((await client.messages.create({ ...options, messages, tool_choice: { type: "none" } })).content);
});

check("anthropic: tokens are counted", async () => {
  const { input_tokens } = await client.messages.countTokens({ model, messages: HELLO });
  const { usage } = await client.messages.create({ ...ask, max_tokens: 1 });
  assert.equal(input_tokens, usage.input_tokens + (usage.cache_read_input_tokens ?? 0));
});

check("anthropic: a client that leaves", async () => {
  for (let i = 0; i < 8; i += 1) {
    const stream = await client.messages.create({ ...ask, messages: STORY, stream: true, max_tokens: 400 });
    for await (const _ of stream) break;
    stream.controller.abort();
  }
  assert((await client.messages.create(ask)).content.length);
});

check("anthropic: errors", async () => {
  await assert.rejects(client.messages.create({ ...ask, model: "absent" }), { status: 404 });
  await assert.rejects(client.messages.create({ ...ask, messages: [] }), { status: 400 });
});
