"""Answers prompts with a demo model file: `python check.py MODEL.gguf ["question" ...]`; without questions it reads lines from stdin,
with --score it counts right answers.

A line "system: ..." sets the system prompt, an empty line starts a new conversation.  The weights are read back from the
GGUF file, so that what is checked is the quantized model; the arithmetic is plain F32.
"""
import random
import struct
import sys

import numpy as np
import torch

import bpe
import corpus
import model


def read_gguf(path):
    b = open(path, "rb").read()
    pos = 0

    def take(fmt):
        nonlocal pos
        v = struct.unpack_from("<" + fmt, b, pos)
        pos += struct.calcsize("<" + fmt)
        return v[0] if len(v) == 1 else v

    def text():
        nonlocal pos
        n = take("Q")
        pos += n
        return b[pos - n:pos].decode()

    def value(kind):
        if kind == 9:
            inner, n = take("IQ")
            return [value(inner) for _ in range(n)]
        return text() if kind == 8 else take({4: "I", 5: "i", 6: "f", 7: "?"}[kind])

    magic, version, n_tensors, n_meta = take("4sIQQ")
    assert magic == b"GGUF" and version == 3
    meta = {}
    for _ in range(n_meta):
        key = text()
        meta[key] = value(take("I"))
    infos = []
    for _ in range(n_tensors):
        name, n = text(), take("I")
        dims = [take("Q") for _ in range(n)]
        infos.append((name, dims[::-1], take("I"), take("Q")))
    start = -(-pos // 32) * 32
    out = {}
    for name, shape, kind, offset in infos:
        n = int(np.prod(shape))
        if kind == 0:
            w = np.frombuffer(b, "<f4", n, start + offset)
        else:
            blocks = np.frombuffer(b, np.uint8, n // 32 * 34, start + offset).reshape(-1, 34)
            w = blocks[:, 2:].view(np.int8).astype(np.float32) * blocks[:, :2].copy().view(np.float16).astype(np.float32)
        out[name] = torch.tensor(w.reshape(shape))
    return meta, out


def load(path):
    meta, t = read_gguf(path)
    c = dict(n_vocab=len(meta["tokenizer.ggml.tokens"]), n_ctx=meta["llama.context_length"], n_embd=meta["llama.embedding_length"], n_layer=meta["llama.block_count"],
             n_head=meta["llama.attention.head_count"], n_head_kv=meta["llama.attention.head_count_kv"], n_ff=meta["llama.feed_forward_length"],
             rope_base=meta["llama.rope.freq_base"], eps=meta["llama.attention.layer_norm_rms_epsilon"])
    halves = lambda w, h: w.view(h, -1, 2, w.shape[1]).transpose(1, 2).reshape(w.shape)
    net = {"embd.weight": t["token_embd.weight"], "norm.weight": t["output_norm.weight"]}
    for i in range(c["n_layer"]):
        g = lambda n: t[f"blk.{i}.{n}.weight"]
        p = f"blocks.{i}."
        net[p + "attn_norm.weight"], net[p + "ffn_norm.weight"], net[p + "o.weight"], net[p + "down.weight"] = g("attn_norm"), g("ffn_norm"), g("attn_output"), g("ffn_down")
        net[p + "qkv.weight"] = torch.cat((halves(g("attn_q"), c["n_head"]), halves(g("attn_k"), c["n_head_kv"]), g("attn_v")))
        net[p + "gate_up.weight"] = torch.cat((g("ffn_gate"), g("ffn_up")))
    m = model.Model(c)
    m.load_state_dict(net)
    return m, bpe.Tokenizer([s.split(" ") for s in meta["tokenizer.ggml.merges"]])


@torch.no_grad()
def answer(m, tok, messages, n=200, temp=0.0, gen=None):
    ids = tok.prompt(messages)
    out = []
    while len(out) < n and len(ids) < m.c["n_ctx"]:
        logits = m(torch.tensor([ids]))[0, -1]
        i = int(logits.argmax()) if temp == 0 else int(torch.multinomial((logits / temp).softmax(-1), 1, generator=gen))
        if i == tok.im_end:
            break
        ids.append(i)
        out.append(i)
    return tok.decode(out)


@torch.no_grad()
def exact(m, tok, question, expected):
    """Whether the greedy answer to one question is the expected one, token by token."""
    ids = tok.prompt([("user", question)])
    want = tok.encode(expected) + [tok.im_end]
    best = m(torch.tensor([ids + want[:-1]]))[0, len(ids) - 1:].argmax(-1)
    return best.tolist() == want


def score(m, tok):
    """Shares of exact answers: all sums up to 20, and single questions whose pattern was held out of the training."""
    for name, op in (("addition", "+"), ("subtraction", "-"), ("multiplication", "*")):
        cases = [(a, b, eval(f"{a}{op}{b}")) for a in range(21) for b in range(21)]
        hits = [exact(m, tok, f"What is {a} {op} {b}?", f"{a} {op} {b} = {r}.") for a, b, r in cases if 0 <= r <= 20 and (op != "*" or a * b)]
        print(f"{name}: {sum(hits)} of {len(hits)}")
    for turn, n in ((corpus.fact, 300), (corpus.talk, 300), (corpus.unknown, 300)):
        rng, hits = random.Random(4), []
        while len(hits) < n:
            q, a, short = turn(rng, {}, True)
            hits.append(exact(m, tok, q, a) or bool(short) and exact(m, tok, q, short))
        print(f"held-out {turn.__name__}: {sum(hits)} of {n}", flush=True)


def main():
    m, tok = load(sys.argv[1])
    if sys.argv[2:] == ["--score"]:
        return score(m, tok)
    messages = []
    for line in sys.argv[2:] or sys.stdin:
        line = line.rstrip("\n")
        if not line or sys.argv[2:]:
            messages = []
        if line.startswith("system: "):
            messages = [("system", line[8:])]
        elif line:
            messages.append(("user", line))
            messages.append(("assistant", answer(m, tok, messages)))
            print(f"> {line}\n{messages[-1][1]}", flush=True)


if __name__ == "__main__":
    main()
