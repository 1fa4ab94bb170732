// Ollama's SDK for JavaScript.
import assert from "node:assert/strict";
import { Ollama } from "ollama";
import { assertFitsLight, check, hasKey, HELLO, key, LIGHT, model, STORY, url } from "./frame.mjs";

const headers = hasKey ? { Authorization: `Bearer ${key}` } : {};
const client = new Ollama({ host: url, headers });
const options = { num_predict: 40, temperature: 0 };
const chat = more => client.chat({ model, messages: HELLO, options, ...more });

check("ollama: the model", async () => {
  const names = (await client.list()).models.map(({ name }) => name);
  assert(names.includes(model) || names.includes(`${model}:latest`), names);
  assert((await client.show({ model })).capabilities.includes("completion"));
  assert.equal((await client.ps()).models.length, 1);
});

check("ollama: an answer and its stream", async () => {
  const whole = await chat();
  let text = "", last;
  for await (const part of await chat({ stream: true })) {
    text += part.message.content;
    last = part;
  }
  assert.equal(text, whole.message.content);
  assert(last.done && last.eval_count === whole.eval_count && last.total_duration > 0);
});

check("ollama: generate", async () => {
  const { response } = await client.generate({ model, prompt: HELLO[0].content, options });
  assert.equal(response, (await chat()).message.content);
});

check("ollama: a form", async () => {
  const { message } = await chat({ format: LIGHT, options: { num_predict: 100 } });
  assertFitsLight(JSON.parse(message.content));
});

check("ollama: a client that leaves", async () => {
  // Aborting ends every stream of a client.
  const other = new Ollama({ host: url, headers });
  const stream = await other.chat({ model, messages: STORY, stream: true, options: { temperature: 2 } });
  await assert.rejects(async () => {
    for await (const _ of stream) other.abort();
  }, { name: "AbortError" });
  assert((await chat()).message.content);
});

check("ollama: errors", async () => {
  await assert.rejects(chat({ model: "absent" }), /absent/);
  await assert.rejects(client.pull({ model: "llama3.2" }));
});
