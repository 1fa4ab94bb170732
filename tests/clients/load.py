"""Load on an OpenAI-compatible server: streamed chats from many clients at once. A benchmark, not a check.

usage: load.py BASE_URL MODEL [--clients N] [--seconds S] [--tokens N] [--pid PID] [--key KEY]

Prints requests and tokens per second, the time to the first token and the gaps between tokens (median and 99th
percentile), errors, and with the server's process id its memory after the first fifth of the time and at the end.
"""
import argparse, http.client, json, random, threading, time, urllib.parse

WORDS = "camel board desert memory cache token kernel river night garden stone light".split()


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("base")
    parser.add_argument("model")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--pid", type=int)
    parser.add_argument("--key", default="none")
    return parser.parse_args()


def chat(connection, options, rng):
    """One chat. Returns the time to the first token, and the gaps behind it."""
    question = " ".join(rng.choice(WORDS) for _ in range(rng.randint(3, 40)))
    body = {"model": options.model, "messages": [{"role": "user", "content": question}], "stream": True,
            "max_tokens": options.tokens, "temperature": 1.0}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {options.key}"}
    begun = last = time.monotonic()
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(f"{response.status} {response.read(200)!r}")
    first, gaps, is_done = None, [], False
    while line := response.readline():
        if line.startswith(b"data: [DONE]"):
            is_done = True
        if not line.startswith(b"data: {"):
            continue
        choices = json.loads(line[6:]).get("choices")
        if choices and choices[0]["delta"].get("content"):
            now = time.monotonic()
            if first is None:
                first = now - begun
            else:
                gaps.append(now - last)
            last = now
    if not is_done:
        raise RuntimeError("the stream broke off")
    return first, gaps


def client(options, number, end, results, errors):
    rng = random.Random(number)
    place = urllib.parse.urlsplit(options.base)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=120)
    while time.monotonic() < end:
        try:
            results.append(chat(connection, options, rng))
        except Exception as error:
            errors.append(repr(error)[:200])
            connection.close()


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] * 1e3 if values else float("nan")


def memory(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def main():
    options = arguments()
    results, errors, begun = [], [], time.monotonic()
    end = begun + options.seconds
    threads = [threading.Thread(target=client, args=(options, i, end, results, errors)) for i in range(options.clients)]
    for thread in threads:
        thread.start()
    early = None
    if options.pid:
        time.sleep(options.seconds / 5)
        early = memory(options.pid)
    for thread in threads:
        thread.join()
    took = time.monotonic() - begun
    firsts = [first for first, _ in results if first is not None]
    gaps = [gap for _, some in results for gap in some]
    n_tokens = len(firsts) + len(gaps)
    print(f"{options.clients} clients, {took:.0f} s: {len(results)} answers, {len(errors)} errors, "
          f"{len(results) / took:.2f} answers/s, {n_tokens / took:.1f} chunks/s")
    print(f"first token: p50 {percentile(firsts, 0.5):.1f} ms, p99 {percentile(firsts, 0.99):.1f} ms; "
          f"gap: p50 {percentile(gaps, 0.5):.2f} ms, p99 {percentile(gaps, 0.99):.2f} ms")
    if options.pid:
        print(f"memory: {early} kB after a fifth, {memory(options.pid)} kB at the end")
    for error in sorted(set(errors))[:5]:
        print("error:", error)


if __name__ == "__main__":
    main()
