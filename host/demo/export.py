"""Writes the trained weights as a GGUF file: `python export.py IN.pt[,IN2.pt] TOKENIZER.json OUT.gguf`.

Of several inputs the mean is written, which smooths the noise of the last steps.

Matrices become Q8_0, norms stay F32, and the embedding is also the output matrix (there is no output.weight).
"""
import os
import struct
import sys

import numpy as np
import torch

import bpe

TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
U32, I32, F32, BOOL, STR, ARR = 4, 5, 6, 7, 8, 9
TYPE_F32, TYPE_Q8_0 = 0, 8
ALIGN = 32


def text(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def value(kind, v):
    if kind == ARR:
        inner, items = v
        return struct.pack("<IQ", inner, len(items)) + b"".join(value(inner, x) for x in items)
    return text(v) if kind == STR else struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], v)


def q8_0(w):
    """Blocks of 32 weights: d = max |w| / 127 as f16, then round(w / d) as 32 signed bytes."""
    x = w.astype(np.float32).reshape(-1, 32)
    d = np.abs(x).max(1) / np.float32(127)
    inv = np.where(d > 0, 1 / np.where(d > 0, d, 1), 0).astype(np.float32)
    q = x * inv[:, None]
    q = np.trunc(q + np.copysign(np.float32(0.5), q)).astype(np.int8)
    return np.concatenate((d.astype(np.float16).view(np.uint8).reshape(-1, 2), q.view(np.uint8)), 1).tobytes()


def interleave(w, n_head):
    """Rows of q and k: from rotated halves to rotated neighbours."""
    hd = w.shape[0] // n_head
    return w.reshape(n_head, 2, hd // 2, -1).swapaxes(1, 2).reshape(w.shape)


def tensors(net, c):
    g = lambda n: net[n].float().numpy()
    d, h, kv = c["n_embd"], c["n_head"], c["n_head_kv"]
    hd = d // h
    yield "token_embd.weight", g("embd.weight")
    yield "output_norm.weight", g("norm.weight")
    for i in range(c["n_layer"]):
        qkv, gate_up = g(f"blocks.{i}.qkv.weight"), g(f"blocks.{i}.gate_up.weight")
        q, k, v = qkv[:d], qkv[d:d + kv * hd], qkv[d + kv * hd:]
        for name, w in (("attn_norm", g(f"blocks.{i}.attn_norm.weight")), ("attn_q", interleave(q, h)), ("attn_k", interleave(k, kv)), ("attn_v", v),
                        ("attn_output", g(f"blocks.{i}.o.weight")), ("ffn_norm", g(f"blocks.{i}.ffn_norm.weight")),
                        ("ffn_gate", gate_up[:c["n_ff"]]), ("ffn_up", gate_up[c["n_ff"]:]), ("ffn_down", g(f"blocks.{i}.down.weight"))):
            yield f"blk.{i}.{name}.weight", w


def main():
    ckpts, tok = [torch.load(p) for p in sys.argv[1].split(",")], bpe.Tokenizer.load(sys.argv[2])
    c = ckpts[0]["config"]
    net = {k: sum(x["net"][k] for x in ckpts) / len(ckpts) for k in ckpts[0]["net"]}
    n = len(tok.tokens)
    meta = [
        ("general.architecture", STR, "llama"), ("general.type", STR, "model"), ("general.name", STR, "NanoCamelid demo"),
        ("general.author", STR, "The NanoCamelid authors"), ("general.license", STR, "MIT"),
        ("general.description", STR, "A small demonstration model trained from scratch on generated text"),
        ("general.size_label", STR, "1.5M"), ("general.file_type", U32, 7), ("general.quantization_version", U32, 2),
        ("general.languages", ARR, (STR, ["en"])),
        ("llama.vocab_size", U32, n), ("llama.context_length", U32, c["n_ctx"]), ("llama.embedding_length", U32, c["n_embd"]),
        ("llama.block_count", U32, c["n_layer"]), ("llama.feed_forward_length", U32, c["n_ff"]),
        ("llama.attention.head_count", U32, c["n_head"]), ("llama.attention.head_count_kv", U32, c["n_head_kv"]),
        ("llama.attention.layer_norm_rms_epsilon", F32, c["eps"]),
        ("llama.rope.dimension_count", U32, c["n_embd"] // c["n_head"]), ("llama.rope.freq_base", F32, c["rope_base"]),
        ("tokenizer.ggml.model", STR, "gpt2"), ("tokenizer.ggml.pre", STR, "qwen2"),
        ("tokenizer.ggml.tokens", ARR, (STR, tok.tokens)),
        ("tokenizer.ggml.token_type", ARR, (I32, [3 if t in bpe.SPECIAL else 1 for t in tok.tokens])),
        ("tokenizer.ggml.merges", ARR, (STR, [f"{a} {b}" for a, b in tok.merges])),
        ("tokenizer.ggml.eos_token_id", U32, tok.im_end), ("tokenizer.ggml.padding_token_id", U32, tok.ids["<|endoftext|>"]),
        ("tokenizer.ggml.add_bos_token", BOOL, False), ("tokenizer.chat_template", STR, TEMPLATE),
    ]
    infos, blobs, offset = b"", [], 0
    items = list(tensors(net, c))
    for name, w in items:
        kind = TYPE_F32 if w.ndim == 1 else TYPE_Q8_0
        blob = w.astype("<f4").tobytes() if kind == TYPE_F32 else q8_0(w)
        blob += bytes(-len(blob) % ALIGN)
        infos += text(name) + struct.pack(f"<I{w.ndim}QIQ", w.ndim, *w.shape[::-1], kind, offset)
        blobs.append(blob)
        offset += len(blob)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(items), len(meta))
    head += b"".join(text(k) + struct.pack("<I", kind) + value(kind, v) for k, kind, v in meta) + infos
    head += bytes(-len(head) % ALIGN)
    with open(sys.argv[3] + ".tmp", "wb") as f:
        f.write(head + b"".join(blobs))
    os.replace(sys.argv[3] + ".tmp", sys.argv[3])
    print(os.path.getsize(sys.argv[3]), "bytes")


if __name__ == "__main__":
    main()
