// OpenAI's SDK for JavaScript.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { ASK, assertFitsLight, check, hasKey, HELLO, key, LIGHT, model, STORY, url } from "./frame.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 50_000 });
const chat = options => client.chat.completions.create({ model, messages: HELLO, max_tokens: 40, ...options });
const set_light = { name: "set_light", description: "Switches a light.", parameters: LIGHT };
const tools = [{ type: "function", function: set_light }];

check("openai: models", async () => {
  assert((await client.models.list()).data.some(({ id }) => id === model));
  assert.equal((await client.models.retrieve(model)).id, model);
});

check("openai: an answer and its stream", async () => {
  const whole = await chat({ temperature: 0 });
  let text = "", last;
  for await (const chunk of await chat({ temperature: 0, stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.delta.content ?? "";
    last = chunk;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.deepEqual(last.usage.completion_tokens, whole.usage.completion_tokens);
});

check("openai: a client that leaves", async () => {
  for (let i = 0; i < 8; i += 1) {
    const stream = await chat({ messages: STORY, stream: true, temperature: 2, max_tokens: 400 });
    for await (const _ of stream) break;
    stream.controller.abort();
  }
  assert((await chat()).choices[0].message.content);
});

check("openai: tools run until the model answers", async () => {
  const seen = [];
  const run = value => {
    seen.push(value);
    return "done";
  };
  const runner = client.chat.completions.runTools({
    model, messages: ASK, max_tokens: 100, stream: true,
    tools: [{ type: "function", function: { ...set_light, parse: JSON.parse, function: run } }],
    tool_choice: { type: "function", function: { name: "set_light" } },
  });
  await runner.done();
  assert(seen.length > 0);
  seen.forEach(assertFitsLight);
});

check("openai: a call in a stream helper", async () => {
  const options = { model, messages: ASK, tools, tool_choice: "required", max_tokens: 100 };
  const stream = client.chat.completions.stream(options);
  const { choices: [{ message, finish_reason }] } = await stream.finalChatCompletion();
  assert.equal(finish_reason, "tool_calls");
  assertFitsLight(JSON.parse(message.tool_calls[0].function.arguments));
});

check("openai: a form", async () => {
  const response_format = { type: "json_schema", json_schema: { name: "light", strict: true, schema: LIGHT } };
  assertFitsLight(JSON.parse((await chat({ response_format, max_tokens: 100 })).choices[0].message.content));
});

check("openai: responses", async () => {
  const ask = { model, input: HELLO[0].content, max_output_tokens: 60, temperature: 0 };
  const whole = await client.responses.create(ask);
  const stream = client.responses.stream(ask);
  let text = "";
  stream.on("response.output_text.delta", event => { text += event.delta; });
  assert.equal((await stream.finalResponse()).output_text, whole.output_text);
  assert.equal(text, whole.output_text);
});

check("openai: errors", async () => {
  await assert.rejects(chat({ model: "absent" }), { status: 404, code: "model_not_found" });
  await assert.rejects(chat({ n: 2 }), { status: 400, param: "n" });
  if (hasKey) {
    const other = new OpenAI({ baseURL: `${url}/v1`, apiKey: "wrong", maxRetries: 0 });
    await assert.rejects(async () => other.models.list(), { status: 401 });
  }
});
