"""MEMIT, AlphaEdit and fine-tuning on pocket, from the papers' formulas as the references run them (facts: editing.md 1 and 2).

The solves are the d_ff x d_ff ones of the papers; our package solves systems of the edits' own size instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pocket import Pocket


@dataclass
class Settings:
    layers: list[int]
    token: str = "subjectLast"
    lr: float = 1.0
    steps: int = 120
    clamp: float = 4.0
    kl: float = 0.0625
    decay: float = 1e-3
    stop_loss: float = 0.05
    lam: float = 10.0
    l2: float = 1.0
    threshold: float = 1e-3


@dataclass
class Rows:
    """Of one fact: contexts (the bare prompt first), the essence row behind them, lookup positions, target."""

    ids: list[list[int]]
    at: list[int]
    target: list[int]

    @property
    def contexts(self) -> int:
        return len(self.ids) - 1


def rows_of(p: Pocket, fact: dict, templates: list[str], token: str) -> Rows:
    ids, at = [], []
    for text in [*(t.replace("{}", fact["prompt"]) for t in templates), "{} is a"]:
        row = p.ids(text.replace("{}", fact["subject"]))
        ids.append(row)
        head = text[: text.index("{}")] + fact["subject"]
        at.append(len(row) - 1 if token == "last" else len(p.ids(head)) - 1)
    return Rows(ids, at, p.target(fact["target_new"]))


def find_value(p: Pocket, fact: Rows, s: Settings) -> tuple[torch.Tensor, list[float]]:
    """z of MEMIT: the output of the last edited block at the lookup, plus the shift that Adam finds. float64."""
    top = s.layers[-1] + 1
    n, count = fact.contexts, len(fact.target)
    rows = [r + fact.target[:-1] for r in fact.ids[:n]] + [fact.ids[n]]
    base = p.states(rows, top)
    index, at = torch.arange(len(rows)), torch.tensor(fact.at)
    initial = base[0, at[0]].double()
    labels = torch.tensor([[len(r) - 1 + t for t in range(count)] for r in fact.ids[:n]])
    shift = torch.zeros_like(initial)
    m, v = torch.zeros_like(initial), torch.zeros_like(initial)
    start = None
    losses: list[float] = []
    for step in range(s.steps):
        leaf = shift.to(p.dtype).requires_grad_(True)
        hidden = base.clone()
        hidden[index, at] = hidden[index, at] + leaf
        out = p.through(hidden, top, len(p.blocks))
        logp = p.logits(out[index[:n, None], labels]).log_softmax(-1)
        nll = -logp.gather(-1, torch.tensor(fact.target)[None, :, None].expand(n, -1, 1)).sum() / (count * n)
        now = p.logits(out[n, at[n]]).log_softmax(-1)
        start = now.detach() if start is None else start
        loss = nll + s.kl * (now.exp() * (now - start)).sum() + s.decay * leaf.norm() / initial.norm() ** 2
        losses.append(loss.item())
        if losses[-1] < s.stop_loss or step == s.steps - 1:
            break
        (g,) = torch.autograd.grad(loss, leaf)
        g = g.double()
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        shift = shift - s.lr * (m / (1 - 0.9 ** (step + 1))) / ((v / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
        limit = s.clamp * initial.norm()
        if shift.norm() > limit:
            shift = shift * (limit / shift.norm())
    return initial + shift, losses


def key_of(p: Pocket, fact: Rows, layer: int) -> torch.Tensor:
    """Half the bare prompt's key, half the mean of the others."""
    n = fact.contexts
    got = p.keys(fact.ids[:n], layer)
    k = got[torch.arange(n), torch.tensor(fact.at[:n])].double()
    return k[0] if n == 1 else (k[0] + k[1:].mean(0)) / 2


def output_of(p: Pocket, fact: Rows, layer: int) -> torch.Tensor:
    return p.states(fact.ids[:1], layer + 1)[0, fact.at[0]].double()


class Editor:
    """One batch after the other on the model as it stands. kind: memit | alphaEdit."""

    def __init__(self, kind: str, p: Pocket, s: Settings, moments: dict[int, torch.Tensor]):
        self.kind, self.p, self.s, self.moments = kind, p, s, moments
        self.past: dict[int, torch.Tensor] = {l: torch.zeros_like(c) for l, c in moments.items()}
        self.projectors = {}
        for l in s.layers if kind == "alphaEdit" else []:
            values, vectors = torch.linalg.eigh(moments[l])
            free = vectors[:, values < s.threshold]
            self.projectors[l] = free @ free.T

    def solve(self, layer: int, k: torch.Tensor) -> torch.Tensor:
        if self.kind == "memit":
            return torch.linalg.solve(self.s.lam * self.moments[layer] + k @ k.T, k)
        proj = self.projectors[layer]
        left = proj @ (k @ k.T + self.past[layer]) + self.s.l2 * torch.eye(len(proj), dtype=proj.dtype)
        return torch.linalg.solve(left, proj @ k)

    def edit(self, batch: list[Rows]) -> list[list[float]]:
        """Writes the batch; returns the losses of each value."""
        p, layers = self.p, self.s.layers
        found = [find_value(p, fact, self.s) for fact in batch]
        for i, layer in enumerate(layers):
            k = torch.stack([key_of(p, fact, layer) for fact in batch], 1)
            r = torch.stack([z - output_of(p, fact, layers[-1]) for (z, _), fact in zip(found, batch)], 1)
            p.add(layer, self.solve(layer, k) @ (r / (len(layers) - i)).T)
        if self.kind == "alphaEdit":
            for layer in layers:
                k = torch.stack([key_of(p, fact, layer) for fact in batch], 1)
                self.past[layer] = self.past[layer] + k @ k.T
        return [losses for _, losses in found]


def fine_tune(
    p: Pocket, facts: list[Rows], layers: list[int], lr: float, steps: int, stop_loss: float, decay: float = 0.0
) -> list[float]:
    """Adam on the down projections of `layers`, all contexts of all facts at once: the simplest upper bound of what
    weights of these layers can hold. `decay` weighs the squared distance from the unedited weights."""
    weights = [p.blocks[l].mlp.down_proj.weight for l in layers]
    before = [w.detach().clone() for w in weights]
    bottom = layers[0]
    rows = [r + f.target[:-1] for f in facts for r in f.ids[: f.contexts]]
    labels = [(i, len(r) - 1 + t) for i, (r, f) in enumerate((r, f) for f in facts for r in f.ids[: f.contexts]) for t in range(len(f.target))]
    targets = torch.tensor([t for f in facts for _ in range(f.contexts) for t in f.target])
    base = p.states(rows, bottom)
    where = tuple(torch.tensor(x) for x in zip(*labels))
    for w in weights:
        w.requires_grad_(True)
    optimizer = torch.optim.Adam(weights, lr=lr)
    losses = []
    for step in range(steps):
        out = p.through(base, bottom, len(p.blocks))
        loss = torch.nn.functional.cross_entropy(p.logits(out[where]), targets)
        losses.append(loss.item())
        if losses[-1] < stop_loss or step == steps - 1:
            break
        if decay > 0:
            loss = loss + decay * sum(((w - b) ** 2).sum() for w, b in zip(weights, before))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for w in weights:
        w.requires_grad_(False)
        w.grad = None
    return losses
