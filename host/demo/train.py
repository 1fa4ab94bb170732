"""Trains the demo model: `torchrun --nproc-per-node 2 train.py OUT.pt --steps N`; everything random comes from --seed.

Each process uses one processor core and makes its own share of every batch; the gradients are averaged.

Conversations are made on the fly, collected by length into batches of about --batch tokens, and only the answers are learned.
The matrices of the layers are trained with Muon (momentum orthogonalized by Newton-Schulz steps), the rest with AdamW.
"""
import argparse
import json
import math
import random
import time

import torch
import torch.distributed as dist

import bpe
import corpus
import model


def batches(tok, rng, n_ctx, n_tokens, held=False, short=0.0):
    """Endless batches (ids, targets) of conversations of similar length; few different shapes keep the matrix library fast.

    The share `short` of them is cut 16 tokens after the last question: how an answer begins is what takes long to learn.
    """
    buckets = {}
    while True:
        ids, learn = tok.example(corpus.conversation(rng, held))
        if rng.random() < short:
            start = max(i for i in range(1, len(ids)) if learn[i] and not learn[i - 1])
            ids, learn = ids[:start + 16], learn[:start + 16]
        if len(ids) > n_ctx:
            continue
        t = len(ids) - 1
        t = -(-t // 16) * 16 if t <= 128 else -(-t // 32) * 32
        bucket = buckets.setdefault(t, [])
        bucket.append((ids[:-1] + [0] * (t + 1 - len(ids)), [i if l else -1 for i, l in zip(ids, learn)][1:] + [-1] * (t + 1 - len(ids))))
        if len(bucket) >= max(1, n_tokens // t):
            yield tuple(torch.tensor(x) for x in zip(*bucket))
            bucket.clear()


def orthogonalize(g, steps=5):
    x = g / (g.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr, momentum=0.95, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                buf = self.state[p].setdefault("m", torch.zeros_like(p))
                buf.lerp_(p.grad, 1 - group["momentum"])
                with torch.autocast("cpu", torch.bfloat16):
                    u = orthogonalize(p.grad.lerp(buf, group["momentum"]))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(u, alpha=-group["lr"] * max(1, p.shape[0] / p.shape[1]) ** 0.5)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out")
    ap.add_argument("--tokenizer", default="tokenizer.json")
    ap.add_argument("--steps", type=int, default=3000)
    ap.add_argument("--batch", type=int, default=6144)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--init", help="start from these weights")
    ap.add_argument("--lr", type=float, default=1.0, help="factor on both learning rates")
    ap.add_argument("--stop", type=int, default=1 << 30, help="stop here, before the schedule ends")
    ap.add_argument("--linear", action="store_true", help="linear decay to zero instead of warm-up and cosine")
    ap.add_argument("--short", type=float, default=0.0, help="share of conversations whose last answer is cut short")
    ap.add_argument("--save-every", type=int, default=100)
    a = ap.parse_args()
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(a.seed)
    torch.set_num_threads(1)
    tok = bpe.Tokenizer.load(a.tokenizer)
    net = model.Model(model.CONFIG)
    if a.init:
        net.load_state_dict(torch.load(a.init)["net"])
    matrices = [(n, p) for n, p in net.named_parameters() if p.dim() == 2 and "blocks" in n]
    mine = [p for n, p in matrices if int(n.split(".")[1]) % world == rank]  # each process updates its own layers
    matrices = [p for _, p in matrices]
    others = [p for n, p in net.named_parameters() if not (p.dim() == 2 and "blocks" in n)]
    opts = [Muon(mine, 0.02 * a.lr, weight_decay=0.05), torch.optim.AdamW(others, 0.004 * a.lr, betas=(0.9, 0.98), weight_decay=0.01)]
    base = [o.param_groups[0]["lr"] for o in opts]
    train = batches(tok, random.Random(a.seed * 100 + rank), net.c["n_ctx"], a.batch // world, short=a.short)
    valid = batches(tok, random.Random(999), net.c["n_ctx"], 2048, True)
    valid = [next(valid) for _ in range(12)]
    flat = torch.zeros(sum(p.numel() for p in net.parameters()))
    if rank == 0:
        print(json.dumps(dict(n_params=flat.numel(), **vars(a))), flush=True)
    t0, seen, avg = time.time(), 0, None
    for step in range(1, a.steps + 1):
        f = min(1, step / 100) * 0.5 * (1 + math.cos(math.pi * step / a.steps))
        if a.linear:
            f = min(1, step / 20) * (1 - step / a.steps)
        for o, lr in zip(opts, base):
            o.param_groups[0]["lr"] = lr * f
        ids, targets = next(train)
        with torch.autocast("cpu", torch.bfloat16):
            loss = net.loss(ids, targets)
        loss.backward()
        torch.cat([p.grad.flatten() for p in net.parameters()], out=flat)
        dist.all_reduce(flat)
        for p, g in zip(net.parameters(), (flat / world).split([p.numel() for p in net.parameters()])):
            p.grad.copy_(g.view_as(p))
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        for o in opts:
            o.step()
        with torch.no_grad():
            new = torch.cat([(p if any(p is q for q in mine) else torch.zeros_like(p)).flatten() for p in matrices])
            dist.all_reduce(new)
            for p, w in zip(matrices, new.split([p.numel() for p in matrices])):
                p.copy_(w.view_as(p))
        net.zero_grad(set_to_none=True)
        seen += ids.numel() * world
        avg = loss.item() if step < 10 else 0.98 * avg + 0.02 * loss.item()
        if step % 50 == 0 and rank == 0:
            dt = time.time() - t0
            print(f"step {step} loss {avg:.4f} tokens {seen} time {dt:.0f}s {seen / dt:.0f} tok/s", flush=True)
        if rank == 0 and (step % a.save_every == 0 or step in (a.steps, a.stop)):
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                v = sum(net.loss(*b).item() for b in valid) / len(valid)
            print(f"step {step} held-out loss {v:.4f}", flush=True)
            torch.save(dict(net=net.state_dict(), config=net.c, step=step), a.out)
        if step == a.stop:
            break


if __name__ == "__main__":
    main()
