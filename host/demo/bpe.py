"""Byte-level BPE: trainer, encoder and decoder with the qwen2 pre-tokenizer.

`python bpe.py tokenizer.json` trains on conversations of corpus.py.  Token ids: 256 bytes, then the merges, then three control tokens.
"""
import collections
import json
import random
import sys

import regex

import corpus

PRE = regex.compile(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
VOCAB = 1536


def byte_chars():
    """The printable character that stands for each byte in byte-level BPE vocabularies."""
    keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table, n = {}, 0
    for b in range(256):
        table[b] = chr(b) if b in keep else chr(256 + n)
        n += b not in keep
    return table


BYTES = byte_chars()
CHARS = {c: b for b, c in BYTES.items()}


def train(texts, n_vocab):
    counts = collections.Counter(w for t in texts for w in PRE.findall(t))
    words = [([BYTES[b] for b in w.encode()], n) for w, n in sorted(counts.items()) if n > 1]
    pairs, where = collections.Counter(), collections.defaultdict(set)
    for i, (w, n) in enumerate(words):
        for p in zip(w, w[1:]):
            pairs[p] += n
            where[p].add(i)
    merges = []
    while len(merges) < n_vocab - 256 - len(SPECIAL):
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        for i in where.pop(best):
            w, n = words[i]
            for p in zip(w, w[1:]):
                pairs[p] -= n
            w[:] = merge(w, best)
            for p in zip(w, w[1:]):
                pairs[p] += n
                where[p].add(i)
        del pairs[best]
    return merges


def merge(w, pair):
    out, i = [], 0
    while i < len(w):
        if i + 1 < len(w) and (w[i], w[i + 1]) == pair:
            out.append(w[i] + w[i + 1])
            i += 2
        else:
            out.append(w[i])
            i += 1
    return out


class Tokenizer:
    def __init__(self, merges):
        self.merges = [tuple(m) for m in merges]
        self.tokens = [BYTES[b] for b in range(256)] + [a + b for a, b in self.merges] + SPECIAL
        self.ids = {t: i for i, t in enumerate(self.tokens)}
        self.rank = {m: i for i, m in enumerate(self.merges)}
        self.im_start, self.im_end = self.ids["<|im_start|>"], self.ids["<|im_end|>"]
        self.cache = {}

    @staticmethod
    def load(path):
        return Tokenizer(json.load(open(path))["merges"])

    def word(self, w):
        if w not in self.cache:
            parts = [BYTES[b] for b in w.encode()]
            while len(parts) > 1:
                best = min(zip(parts, parts[1:]), key=lambda p: self.rank.get(p, 1 << 30))
                if best not in self.rank:
                    break
                parts = merge(parts, best)
            self.cache[w] = [self.ids[p] for p in parts]
        return self.cache[w]

    def encode(self, text):
        return [i for w in PRE.findall(text) for i in self.word(w)]

    def decode(self, ids):
        return b"".join(self.tokens[i].encode() if i >= len(self.tokens) - len(SPECIAL) else bytes(CHARS[c] for c in self.tokens[i]) for i in ids).decode(errors="replace")

    def prompt(self, messages):
        """Token ids of a chat in ChatML up to and including the start of the answer."""
        ids = []
        for role, text in messages:
            ids += [self.im_start] + self.encode(role + "\n" + text) + [self.im_end] + self.encode("\n")
        return ids + [self.im_start] + self.encode("assistant\n")

    def example(self, messages):
        """Token ids of a whole conversation and, for each, whether it is to be learned."""
        if messages[0][0] == "raw":
            ids = self.encode(messages[0][1]) + [self.im_end]
            return ids, [i > 2 for i in range(len(ids))]
        ids, learn = [], []
        if messages[0][0] == "drill":  # lines like "3 + 4 = 7.", of which only the results are learned
            for line in messages[0][1].split("\n"):
                head, body = line.split("=")
                head, body = self.encode(head + "="), self.encode(body)
                ids += head + body + self.encode("\n")
                learn += [False] * len(head) + [True] * len(body) + [False]
            return ids, learn
        for role, text in messages:
            head = [self.im_start] + self.encode(role + "\n")
            body, tail = self.encode(text) + [self.im_end], self.encode("\n")
            ids += head + body + tail
            learn += [False] * len(head) + [role == "assistant"] * len(body) + [False] * len(tail)
        return ids, learn


def main():
    rng = random.Random(11)
    texts = (t for _ in range(60000) for _, t in corpus.conversation(rng))
    json.dump({"merges": train(texts, VOCAB)}, open(sys.argv[1], "w"))


if __name__ == "__main__":
    main()
