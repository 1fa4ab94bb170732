"""The demo model in PyTorch: a llama with tied embeddings, grouped-query attention, SwiGLU and RoPE.

Training rotates the halves of a head against each other because that is faster here; export.py reorders the rows of q and k
so that the file has the interleaved order which the llama architecture has in GGUF.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F

CONFIG = dict(n_vocab=1536, n_ctx=512, n_embd=128, n_layer=6, n_head=4, n_head_kv=2, n_ff=448, rope_base=10000.0, eps=1e-5)


class Norm(nn.Module):
    def __init__(self, n, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(n)), eps

    def forward(self, x):
        y = x.float()
        return (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps) * self.weight).to(x.dtype)


def rope_tables(n_ctx, head_dim, base):
    angle = torch.arange(n_ctx)[:, None] * base ** (-torch.arange(0, head_dim, 2) / head_dim)[None, :]
    return torch.cat((angle.cos(),) * 2, -1), torch.cat((-angle.sin(), angle.sin()), -1)


def rope(x, cos, sin):
    a, b = x.chunk(2, -1)
    return (x * cos + torch.cat((b, a), -1) * sin).to(x.dtype)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, self.h, self.kv = c["n_embd"], c["n_head"], c["n_head_kv"]
        self.hd = d // self.h
        self.attn_norm, self.ffn_norm = Norm(d, c["eps"]), Norm(d, c["eps"])
        self.qkv = nn.Linear(d, d + 2 * self.kv * self.hd, bias=False)
        self.o = nn.Linear(d, d, bias=False)
        self.gate_up, self.down = nn.Linear(d, 2 * c["n_ff"], bias=False), nn.Linear(c["n_ff"], d, bias=False)

    def forward(self, x, cos, sin, mask):
        b, t, d = x.shape
        qkv = self.qkv(self.attn_norm(x)).view(b, t, self.h + 2 * self.kv, self.hd).transpose(1, 2)
        q, k, v = qkv.split((self.h, self.kv, self.kv), 1)
        q, k = rope(q, cos, sin), rope(k, cos, sin)
        s = q.reshape(b, self.kv, -1, self.hd) @ k.transpose(-1, -2)  # the query heads of a group stand below each other
        s = (s.view(b, self.h, t, t) * self.hd ** -0.5 + mask).softmax(-1, dtype=s.dtype)
        y = (s.view(b, self.kv, -1, t) @ v).view(b, self.h, t, self.hd)
        x = x + self.o(y.transpose(1, 2).reshape(b, t, d))
        gate, up = self.gate_up(self.ffn_norm(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embd = nn.Embedding(c["n_vocab"], c["n_embd"])
        self.blocks = nn.ModuleList(Block(c) for _ in range(c["n_layer"]))
        self.norm = Norm(c["n_embd"], c["eps"])
        cos, sin = rope_tables(c["n_ctx"], c["n_embd"] // c["n_head"], c["rope_base"])
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for n, p in self.named_parameters():
            if p.dim() == 2:
                std = 0.02 if "embd" in n else p.shape[1] ** -0.5
                nn.init.normal_(p, std=std * (0.3 if n.endswith(("o.weight", "down.weight")) else 1.0))

    def hidden(self, ids):
        t = ids.shape[1]
        x = self.embd(ids)
        dtype = torch.bfloat16 if torch.is_autocast_enabled("cpu") else x.dtype
        mask = torch.full((t, t), float("-inf"), dtype=dtype).triu(1)
        for blk in self.blocks:
            x = blk(x, self.cos[:t], self.sin[:t], mask)
        return self.norm(x)

    def loss(self, ids, targets):
        """Mean cross entropy over the positions whose target is not -1."""
        h = self.hidden(ids).flatten(0, 1)
        at = (targets.flatten() >= 0).nonzero().squeeze(1)
        return F.cross_entropy((h[at] @ self.embd.weight.T).float(), targets.flatten()[at])

    def forward(self, ids):
        return (self.hidden(ids) @ self.embd.weight.T).float()
