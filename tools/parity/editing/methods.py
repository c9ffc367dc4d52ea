"""ROME, MEMIT, EMMET, AlphaEdit and FT-L in float64, written from their formulas (facts: editing.md 1 and 2).

Every result is a change of W in [d_in, d_out] orientation, W += left @ right.T, left [d_in, r], right [d_out, r].
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from editable import Editable, Place
from value import Value, ValueOptions, optimise


@dataclass(frozen=True)
class Request:
    prefix: list[int]
    subject: list[int]
    suffix: list[int]
    target: list[int]
    essence: list[int]  # what follows the subject in the row that guards its meaning

    def place(self, context: list[int], bos: list[int]) -> Place:
        before = [*bos, *context, *self.prefix, *self.subject]
        return Place([*before, *self.suffix], len(before) - 1)

    def essence_place(self, bos: list[int]) -> Place:
        before = [*bos, *self.subject]
        return Place([*before, *self.essence], len(before) - 1)


@dataclass
class Delta:
    left: torch.Tensor
    right: torch.Tensor

    def apply(self, ed: Editable, layer: int) -> None:
        ed.set_weight(layer, ed.weight(layer) + self.left @ self.right.T)

    @property
    def full(self) -> torch.Tensor:
        return self.left @ self.right.T


@dataclass
class RomeResult:
    delta: Delta
    key: torch.Tensor
    mean_key: torch.Tensor
    output: torch.Tensor
    denominator: float
    key_cosine: float


def rome(
    ed: Editable, layer: int, places: list[Place], value: Value, moment: torch.Tensor | None, keys: str
) -> RomeResult:
    """keys: original (u from the mean key, residual and denominator from the bare key) | averaged | prompt."""
    k, o, _ = ed.read(layer, places)
    k, o = k.double(), o.double()
    mean_key, bare = k.mean(0), k[0]
    for_u = bare if keys == "prompt" else mean_key
    for_v, output = (mean_key, o.mean(0)) if keys == "averaged" else (bare, o[0])
    u = for_u if moment is None else torch.linalg.solve(moment, for_u)
    u = u / u.norm()
    denominator = float(for_v @ u)
    right = (value.value.double() - output) / denominator
    cosine = float(mean_key @ bare / (mean_key.norm() * bare.norm()))
    return RomeResult(Delta(u[:, None], right[:, None]), bare, mean_key, output, denominator, cosine)


def grouped_keys(ed: Editable, layer: int, groups: list[list[Place]]) -> torch.Tensor:
    """[d_ff]: mean within each group of contexts, then mean of the groups."""
    means = [ed.read(layer, places)[0].double().mean(0) for places in groups]
    return torch.stack(means).mean(0)


@dataclass
class BatchResult:
    deltas: dict[int, Delta]
    keys: dict[int, torch.Tensor]
    residual_norms: dict[int, list[float]]
    values: list[Value] = field(default_factory=list)


def spread_edit(
    ed: Editable,
    layers: list[int],
    groups: list[list[list[Place]]],
    values: list[Value],
    solve,
    divisor=lambda left: float(left),
) -> BatchResult:
    """Layer by layer, each on the model with the earlier ones already changed. Leaves the model edited."""
    top = layers[-1]
    z = torch.stack([v.value.double() for v in values], 1)
    out = BatchResult({}, {}, {}, values)
    for i, layer in enumerate(layers):
        k = torch.stack([grouped_keys(ed, layer, g) for g in groups], 1)
        h = torch.stack([ed.read(top, [g[0][0]])[2][0].double() for g in groups], 1)
        out.residual_norms[layer] = (z - h).norm(dim=0).tolist()
        r = (z - h) / divisor(len(layers) - i)
        delta = Delta(*solve(layer, k, r))
        delta.apply(ed, layer)
        out.deltas[layer], out.keys[layer] = delta, k
    return out


def memit_solve(moments: dict[int, torch.Tensor], lam: float):
    def solve(layer: int, k: torch.Tensor, r: torch.Tensor):
        return torch.linalg.solve(lam * moments[layer] + k @ k.T, k), r

    return solve


def emmet_solve(moments: dict[int, torch.Tensor], scale: float, damp: float):
    def solve(layer: int, k: torch.Tensor, r: torch.Tensor):
        inverse_k = torch.linalg.solve(scale * moments[layer], k)
        d = k.T @ inverse_k
        if k.shape[1] > 1:
            d = d + damp * torch.eye(k.shape[1], dtype=d.dtype)
        # dW (d x d_ff) = R D^-1 (C^-1 K)^T, so the left factor carries D^-1.
        return inverse_k @ torch.linalg.inv(d).T, r

    return solve


def null_projector(moment: torch.Tensor, threshold: float) -> torch.Tensor:
    values, vectors = torch.linalg.eigh(moment)
    small = vectors[:, values < threshold]
    return small @ small.T


def alphaedit_solve(projectors: dict[int, torch.Tensor], past: dict[int, torch.Tensor], l2: float):
    def solve(layer: int, k: torch.Tensor, r: torch.Tensor):
        p = projectors[layer]
        gram = k @ k.T
        if layer in past:
            gram = gram + past[layer] @ past[layer].T
        return torch.linalg.solve(p @ gram + l2 * torch.eye(p.shape[0], dtype=p.dtype), p @ k), r

    return solve


@dataclass
class FineTune:
    delta: torch.Tensor
    losses: list[float]
    clamped_fraction: float


def fine_tune(
    ed: Editable, layer: int, prompt: list[int], target: list[int], objective: str, steps: int, lr: float, epsilon: float
) -> FineTune:
    """Adam on one projection; after each step every entry is brought back to within epsilon of where it began.

    prompt_last: all target tokens scored at the prompt's last position (FT-L as published).
    target: teacher-forced mean over the target's tokens (FT-M).
    """
    w0 = ed.weight(layer)
    w, losses = w0.clone(), []
    m, v = torch.zeros_like(w0), torch.zeros_like(w0)
    parameter = ed.projection(layer).weight
    parameter.requires_grad_(True)
    try:
        for step in range(steps):
            ed.set_weight(layer, w)
            if objective == "prompt_last":
                logp = ed.forward([prompt])[0, -1].log_softmax(-1)
                loss = -logp[target].mean()
            else:
                logp = ed.forward([prompt + target[:-1]])[0, len(prompt) - 1 :].log_softmax(-1)
                loss = -logp[torch.arange(len(target)), target].mean()
            losses.append(float(loss.detach()))
            if losses[-1] < 1e-2:
                break
            (g,) = torch.autograd.grad(loss, parameter)
            g = g if ed.stored_in_out else g.T
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g * g
            w = w - lr * (m / (1 - 0.9 ** (step + 1))) / ((v / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
            w = torch.minimum(torch.maximum(w, w0 - epsilon), w0 + epsilon)
    finally:
        parameter.requires_grad_(False)
        ed.set_weight(layer, w0)
    delta = w - w0
    return FineTune(delta, losses, float((delta.abs() > epsilon * (1 - 1e-12)).double().mean()))


def values_for(
    ed: Editable, layer: int, where: str, requests: list[Request], contexts: list[list[int]], bos: list[int], o: ValueOptions
) -> list[Value]:
    return [
        optimise(ed, layer, where, [r.place(c, bos) for c in contexts], r.target, r.essence_place(bos), o)
        for r in requests
    ]
