// What the checks of the chat page stand on: named checks with a total, Chromium, and a proxy in front of the server.
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const CHECK_LIMIT_MS = 60_000;
const checks = [];

/** Adds a check: an async function that throws what is wrong. */
export const check = (name, run) => checks.push({ name, run });

/** Runs the checks one after another, each in a fresh browser context; prints a line for each and the total. */
export async function runAll(browser, only) {
  let passed = 0, failed = 0;
  for (const { name, run } of checks) {
    if (only && !name.includes(only)) continue;
    const context = await browser.newContext({ viewport: { width: 1000, height: 640 }, acceptDownloads: true });
    context.setDefaultTimeout(10_000);
    let timer;
    const limit = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("the check's time limit passed")), CHECK_LIMIT_MS);
    });
    try {
      await Promise.race([run(context), limit]);
      console.log(`ok      ${name}`);
      passed += 1;
    } catch (error) {
      console.log(`FAILED  ${name}: ${error.stack.slice(0, 3000)}`);
      failed += 1;
    }
    clearTimeout(timer);
    await context.close();
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0;
}

/** Starts Chromium with a profile of its own, which is removed when `use` ends. */
export async function withChromium(use) {
  const profile = await mkdtemp(join(tmpdir(), "page-tests-"));
  const quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"];
  // Chromium's sandbox does not start for root.
  const args = process.getuid() === 0 ? ["--no-sandbox", ...quiet] : quiet;
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args, env: { ...process.env, TMPDIR: profile } });
  try {
    return await use(browser);
  } finally {
    await browser.close();
    await rm(profile, { recursive: true, force: true });
  }
}

/**
 * A proxy in front of the real server. The page, its headers and the list of models come from the server; `script`, where
 * a check sets one, answers POST requests in its place: script(request, response, body). `isDown` cuts every connection.
 */
export class Proxy {
  script = null;
  isDown = false;
  paths = [];

  static async start(upstream) {
    const proxy = new Proxy();
    proxy.server = http.createServer((request, response) => proxy.#handle(upstream, request, response));
    await new Promise(done => proxy.server.listen(0, "127.0.0.1", done));
    proxy.url = `http://127.0.0.1:${proxy.server.address().port}/`;
    return proxy;
  }

  reset() {
    Object.assign(this, { script: null, isDown: false, paths: [] });
    return this;
  }

  async #handle(upstream, request, response) {
    this.paths.push(request.url);
    if (this.isDown) return request.socket.destroy();
    if (this.script && request.method === "POST") {
      const parts = await request.toArray();
      return this.script(request, response, JSON.parse(Buffer.concat(parts)));
    }
    const { method, headers } = request;
    const onwards = http.request(new URL(request.url, upstream), { method, headers }, answer => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onwards.on("error", () => response.destroy());
    response.on("close", () => onwards.destroy());
    request.pipe(onwards);
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

const pause = ms => new Promise(done => setTimeout(done, ms));

/** A script that streams these deltas, `every` ms apart; it ends as `ending` says. */
export function streaming(deltas, { every = 0, ending = "stop" } = {}) {
  return async (_, response) => {
    const send = value => response.write(`data: ${typeof value === "string" ? value : JSON.stringify(value)}\n\n`);
    const choice = (delta, finish_reason = null) => send({ choices: [{ index: 0, delta, finish_reason }] });
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    choice({ role: "assistant", content: "" });
    for (const delta of deltas) {
      if (response.destroyed) return;
      choice(typeof delta === "string" ? { content: delta } : delta);
      if (every) await pause(every);
    }
    if (ending === "cut") return response.destroy();
    if (ending === "error") return response.end('data: {"error": {"message": "the slot was taken away"}}\n\n');
    choice({}, ending);
    const prompt_tokens_details = { cached_tokens: 7 };
    send({ choices: [], usage: { prompt_tokens: 9, completion_tokens: deltas.length, prompt_tokens_details } });
    send("[DONE]");
    response.end();
  };
}

/** A script that refuses. */
export const refusing = (status, message, headers = {}) => (_, response) => {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(JSON.stringify({ error: { message } }));
};
