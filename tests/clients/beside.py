"""Loads several OpenAI-compatible servers in turn and prints what they reach, side by side. A benchmark, not a check.

usage: beside.py MODEL NAME=COMMAND NAME=COMMAND... [--rounds N] [--out FILE] [flags of load.py]

In every round each server is started by its COMMAND, on port 8199, which it must listen on at 127.0.0.1; is asked
until it answers; answers four questions that do not count; and is loaded by each number of clients. Then it is ended.
All servers get the same questions. Prints the median of the rounds; --out keeps every round as JSON lines.
"""
import argparse, copy, http.client, json, shlex, signal, statistics, subprocess, sys, tempfile, time
import load

PORT = 8199
ROWS = ("answers/s", "tokens/s", "first byte p50", "first byte p99", "first text p50", "first text p99", "gap p50",
        "gap p99", "memory", "without files", "peak", "CPU seconds", "tokens", "errors")


def wait(process, log):
    """Waits for a server to be ready."""
    for _ in range(600):
        if process.poll() is not None:
            log.seek(0)
            sys.exit(f"a server ended with {process.returncode}:\n{log.read()[-2000:]}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit("a server does not answer")


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        user, system = stat.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / 100


def measure(command, options):
    """One server, for every number of clients."""
    log = tempfile.TemporaryFile("w+", errors="replace")
    process = subprocess.Popen(shlex.split(command), stdout=log, stderr=log)
    base = f"http://127.0.0.1:{PORT}/v1"
    try:
        wait(process, log)
        warm = copy.copy(options)
        warm.requests = 1
        load.Load(base, options.model, warm).run(4)
        for n_clients in options.clients:
            before = cpu_seconds(process.pid)
            done = load.Load(base, options.model, options).run(n_clients)
            for error in sorted(set(done.errors))[:3]:
                print("error:", error, file=sys.stderr)
            memory = load.memory(process.pid)
            yield n_clients, {**done.numbers(), "memory": memory["all"], "without files": memory["without files"],
                              "peak": memory["peak"], "CPU seconds": cpu_seconds(process.pid) - before}
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def written(name, value):
    if name in ("memory", "without files", "peak"):
        return f"{value / 1e6:.1f} MB"
    if name.startswith(("first", "gap")):
        return f"{value * 1e3:.1f} ms"
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("servers", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out")
    load.add_arguments(parser)
    options = parser.parse_args()
    servers = dict(server.split("=", 1) for server in options.servers)
    results = {}
    for round_number in range(options.rounds):
        for name, command in servers.items():
            for n_clients, numbers in measure(command, options):
                results.setdefault((n_clients, name), []).append(numbers)
                if options.out:
                    with open(options.out, "a") as out:
                        line = {"round": round_number, "server": name, "clients": n_clients, **numbers}
                        out.write(json.dumps(line) + "\n")
    for n_clients in options.clients:
        print(f"\n{n_clients:<16}" + "".join(f"{name:>16}" for name in servers))
        for row in ROWS:
            values = (statistics.median(of[row] for of in results[n_clients, name]) for name in servers)
            print(f"{row:<16}" + "".join(f"{written(row, value):>16}" for value in values))


if __name__ == "__main__":
    main()
