// A proxy in front of the server, and scripts that answer in the server's place what the demo model would not say:
// markup, reasoning, errors.
import http from "node:http";

/**
 * The page, its headers and the list of models come from the server behind the proxy. Where a check sets a `script`,
 * that answers POST requests instead: script(request, response, body). `isDown` cuts every connection.
 */
export class Proxy {
  script = null;
  isDown = false;

  static async start(upstream) {
    const proxy = new Proxy();
    proxy.server = http.createServer((request, response) => proxy.#handle(upstream, request, response));
    await new Promise(done => proxy.server.listen(0, "127.0.0.1", done));
    proxy.url = `http://127.0.0.1:${proxy.server.address().port}/`;
    return proxy;
  }

  reset() {
    Object.assign(this, { script: null, isDown: false });
  }

  async #handle(upstream, request, response) {
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
