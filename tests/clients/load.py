"""Load on an OpenAI-compatible server: streamed chats from many clients at once. A benchmark, not a check.

usage: load.py BASE_URL MODEL [--clients N,N...] [--requests N] [--seconds S] [--tokens N] [--words N] [--pid PID]
               [--key KEY] [--ignore-eos]

Every number of clients sends the same questions, --requests of them for each client or as many as fit into --seconds.
Prints answers and tokens per second, the time to the first byte of a response and to the first text (median and 99th
percentile), the gaps between texts, errors, and with the server's process id its memory. beside.py runs several
servers in turn.
"""
import argparse, http.client, itertools, json, random, threading, time, urllib.parse

WORDS = "camel board desert memory cache token kernel river night garden stone light".split()


def add_arguments(parser):
    parser.add_argument("--clients", default="16", type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--requests", type=int, default=0, help="for each client; 0: as many as fit into --seconds")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--tokens", type=int, default=32, help="the most tokens of an answer")
    parser.add_argument("--words", type=int, default=40, help="the most words of a question")
    parser.add_argument("--key", default="none")
    parser.add_argument("--ignore-eos", action="store_true", help="ask llama.cpp's server not to end answers early")


class Load:
    """Results of all clients."""

    def __init__(self, base, model, options):
        self.place, self.model, self.options = urllib.parse.urlsplit(base), model, options
        self.bytes, self.texts, self.gaps, self.counts, self.errors = [], [], [], [], []
        self.n_prompt = 0
        self.took = 0.0

    def run(self, n_clients):
        """Sends questions from so many clients; returns itself."""
        options, begun = self.options, time.monotonic()
        end = begun + options.seconds
        numbers = itertools.count()

        def client():
            connection = http.client.HTTPConnection(self.place.hostname, self.place.port, timeout=300)
            # The next number of an `itertools.count` is taken in one step of the interpreter.
            for number in numbers:
                if number >= n_clients * options.requests if options.requests else time.monotonic() >= end:
                    break
                try:
                    self.chat(connection, number)
                except Exception as error:
                    self.errors.append(repr(error)[:200])
                    connection.close()

        threads = [threading.Thread(target=client) for _ in range(n_clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.took = time.monotonic() - begun
        return self

    def chat(self, connection, number):
        """One chat."""
        options, rng = self.options, random.Random(number)
        question = " ".join(rng.choice(WORDS) for _ in range(rng.randint(min(3, options.words), options.words)))
        body = {"model": self.model, "messages": [{"role": "user", "content": question}], "stream": True,
                "stream_options": {"include_usage": True}, "max_tokens": options.tokens, "seed": number,
                "temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05}
        if options.ignore_eos:
            body["ignore_eos"] = True
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {options.key}"}
        begun = last = time.monotonic()
        response = self.post(connection, json.dumps(body), headers)
        first_byte = time.monotonic() - begun
        if response.status != 200:
            raise RuntimeError(f"{response.status} {response.read(200)!r}")
        first, gaps, usage, is_done = None, [], None, False
        while line := response.readline():
            if line.startswith(b"data: [DONE]"):
                is_done = True
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            usage = event.get("usage") or usage
            choices = event.get("choices")
            if choices and choices[0]["delta"].get("content"):
                now = time.monotonic()
                if first is None:
                    first = now - begun
                else:
                    gaps.append(now - last)
                last = now
        if not is_done:
            raise RuntimeError("the stream broke off")
        self.bytes.append(first_byte)
        self.texts += [first] if first is not None else []
        self.gaps += gaps
        self.counts.append(usage["completion_tokens"])
        self.n_prompt += usage["prompt_tokens"]

    def post(self, connection, body, headers):
        """Sends a question; once more where the server has closed the connection behind the one before."""
        path = self.place.path.rstrip("/") + "/chat/completions"
        is_used = connection.sock is not None
        try:
            connection.request("POST", path, body, headers)
            return connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            connection.close()
            if not is_used:
                raise
        connection.request("POST", path, body, headers)
        return connection.getresponse()

    def numbers(self):
        """The results by name, times in seconds."""
        return {"answers": len(self.counts), "errors": len(self.errors), "seconds": self.took,
                "answers/s": len(self.counts) / self.took, "tokens/s": sum(self.counts) / self.took,
                "prompt tokens": self.n_prompt, "tokens": sum(self.counts),
                **{f"{name} {label}": percentile(values, share)
                   for name, values in (("first byte", self.bytes), ("first text", self.texts), ("gap", self.gaps))
                   for label, share in (("p50", 0.5), ("p99", 0.99))}}


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def memory(pid):
    """Resident bytes of a process: all, those that belong to no file, and the most so far."""
    with open(f"/proc/{pid}/status") as status:
        of = dict(line.split(":", 1) for line in status)
    return {"all": kib(of["VmRSS"]), "without files": kib(of["RssAnon"]), "peak": kib(of["VmHWM"])}


def kib(field):
    return int(field.split()[0]) * 1024


def show(n_clients, of):
    """Prints the results of one load."""
    ms = {name: 1e3 * value for name, value in of.items()}
    print(f"{n_clients} clients, {of['seconds']:.0f} s: {of['answers']} answers, {of['errors']} errors, "
          f"{of['answers/s']:.2f} answers/s, {of['tokens/s']:.1f} tokens/s "
          f"({of['prompt tokens']} tokens read, {of['tokens']} written)")
    print(", ".join(f"{name}: p50 {ms[name + ' p50']:.1f} ms, p99 {ms[name + ' p99']:.1f} ms"
                    for name in ("first byte", "first text", "gap")))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("base")
    parser.add_argument("model")
    parser.add_argument("--pid", type=int)
    add_arguments(parser)
    options = parser.parse_args()
    for n_clients in options.clients:
        load, early = Load(options.base, options.model, options), {}
        if options.pid and not options.requests:
            timer = threading.Timer(options.seconds / 5, lambda: early.update(memory(options.pid)))
            timer.start()
        load.run(n_clients)
        show(n_clients, load.numbers())
        if options.pid:
            after = f", {early['all'] / 1e6:.1f} after a fifth of the time" if early else ""
            now = memory(options.pid)
            print(f"memory: {now['all'] / 1e6:.1f} MB, {now['without files'] / 1e6:.1f} of them without files{after}")
        for error in sorted(set(load.errors))[:5]:
            print("error:", error)


if __name__ == "__main__":
    main()
