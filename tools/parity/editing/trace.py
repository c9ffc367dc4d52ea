"""Causal tracing: how much of a clean run's state at one place restores the answer of a corrupted run (facts: editing.md 3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from editable import Editable
from record import submodule


@dataclass
class Traced:
    answer: int
    high: float
    low: float
    state: list[list[float]]
    mlp: dict[int, list[list[float]]]
    attn: dict[int, list[list[float]]]
    state_mlp_severed: list[list[float]]


def noise(samples: int, span: int, width: int, sigma: float) -> torch.Tensor:
    """Seeded anew for every run, so that all cells of a table share one corruption."""
    return sigma * torch.from_numpy(np.random.RandomState(1).randn(samples, span, width))


def window(layer: int, width: int, layers: int) -> range:
    return range(max(0, layer - width // 2), min(layers, layer + math.ceil(width / 2)))


def trace(ed: Editable, prompt: list[int], begin: int, end: int, sigma: float, samples: int, windows: list[int]) -> Traced:
    rows = [prompt] * (samples + 1)
    width = ed.model.config.hidden_size
    embed = submodule(ed.model, ed.layout.embed)
    shift = noise(samples, end - begin, width, sigma).to(ed.dtype)

    def corrupt(_m, _a, out):
        out = out.clone()
        out[1:, begin:end] += shift
        return out

    def first(r):
        return r[0] if isinstance(r, tuple) else r

    def rewrap(r, t):
        return (t, *r[1:]) if isinstance(r, tuple) else t

    def copy_clean(token: int):
        def hook(_m, _a, r):
            out = first(r).clone()
            out[1:, token] = out[0, token]
            return rewrap(r, out)

        return hook

    def overwrite(token: int, value: torch.Tensor):
        def hook(_m, _a, r):
            out = first(r).clone()
            out[1:, token] = value
            return rewrap(r, out)

        return hook

    def score(pairs) -> torch.Tensor:
        with torch.no_grad(), ed.hooks([(embed, "output", corrupt), *pairs]):
            return ed.forward(rows)[:, -1].softmax(-1)

    base = score([])
    answer = int(base[0].argmax())
    seen: dict[int, torch.Tensor] = {}

    def keep(layer):
        return lambda _m, _a, r: seen.__setitem__(layer, first(r)[1:].clone())

    score([(ed.site(i, "mlp"), "output", keep(i)) for i in range(ed.layers)])

    def cell(token: int, sites) -> float:
        probs = score([(site, "output", copy_clean(token)) for site in sites])
        return float(probs[1:, answer].mean())

    def table(make) -> list[list[float]]:
        return [[cell(t, make(layer)) for layer in range(ed.layers)] for t in range(len(prompt))]

    def severed(token: int, layer: int) -> float:
        later = [
            (ed.site(i, "mlp"), "output", overwrite(token, seen[i][:, token])) for i in range(layer + 1, ed.layers)
        ]
        probs = score([(ed.site(layer, "block"), "output", copy_clean(token)), *later])
        return float(probs[1:, answer].mean())

    return Traced(
        answer,
        float(base[0, answer]),
        float(base[1:, answer].mean()),
        table(lambda layer: [ed.site(layer, "block")]),
        {w: table(lambda layer, w=w: [ed.site(i, "mlp") for i in window(layer, w, ed.layers)]) for w in windows},
        {w: table(lambda layer, w=w: [ed.site(i, "attn") for i in window(layer, w, ed.layers)]) for w in windows},
        [[severed(t, layer) for layer in range(ed.layers)] for t in range(len(prompt))],
    )
