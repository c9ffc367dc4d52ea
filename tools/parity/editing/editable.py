"""A tiny model in float64 with the few accesses that the editors need. Wraps the library's own forward."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import make_fixtures as base
from families import BY_NAME
from precision import Float64
from record import submodule


@dataclass(frozen=True)
class Place:
    """Token ids and the position of the token at which the fact is looked up."""

    ids: list[int]
    lookup: int


class Editable:
    def __init__(self, name: str, dtype: torch.dtype = torch.float64):
        self.name, self.dtype = name, dtype
        self.model = base.load(base.ROOT / name).to(dtype)
        self.model.requires_grad_(False)
        self.layout = BY_NAME[name].layout
        self.layers = len(submodule(self.model, self.layout.blocks))
        self.stored_in_out = type(self.projection(0)).__name__ == "Conv1D"

    def block(self, layer: int) -> torch.nn.Module:
        return submodule(self.model, f"{self.layout.blocks}.{layer}")

    def site(self, layer: int, where: str) -> torch.nn.Module:
        """where: `mlp` and `attn` are the modules, `block` the whole layer."""
        if where == "block":
            return self.block(layer)
        return submodule(self.block(layer), self.layout.mlp if where == "mlp" else self.layout.attn)

    def projection(self, layer: int) -> torch.nn.Module:
        return submodule(self.block(layer), self.layout.mlp_out)

    def weight_name(self, layer: int) -> str:
        return f"{self.layout.blocks}.{layer}.{self.layout.mlp_out}.weight"

    def weight(self, layer: int) -> torch.Tensor:
        """A copy in [d_in, d_out] orientation, whatever the layer type stores."""
        w = self.projection(layer).weight.data
        return (w if self.stored_in_out else w.T).clone()

    def set_weight(self, layer: int, w: torch.Tensor) -> None:
        self.projection(layer).weight.data = (w if self.stored_in_out else w.T).contiguous().to(self.dtype)

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Leaves every projection as it was."""
        kept = [self.weight(i) for i in range(self.layers)]
        try:
            yield
        finally:
            for i, w in enumerate(kept):
                self.set_weight(i, w)

    @contextmanager
    def hooks(self, pairs: list[tuple[torch.nn.Module, str, Callable]]) -> Iterator[None]:
        handles = [
            m.register_forward_pre_hook(f) if kind == "input" else m.register_forward_hook(f) for m, kind, f in pairs
        ]
        try:
            yield
        finally:
            for h in handles:
                h.remove()

    def forward(self, rows: list[list[int]]) -> torch.Tensor:
        """Logits [rows, width, V]; short rows are filled on the right, which no earlier position can see."""
        width = max(map(len, rows))
        ids = torch.tensor([r + [0] * (width - len(r)) for r in rows])
        positions = torch.arange(width)[None].expand(len(rows), -1)
        if self.dtype == torch.float64:
            with Float64():
                return self.model(input_ids=ids, position_ids=positions, use_cache=False).logits
        return self.model(input_ids=ids, position_ids=positions, use_cache=False).logits

    def read(self, layer: int, places: list[Place]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """At each place: projection input [n, d_ff], projection output with bias [n, d], block output [n, d]."""
        got: dict[str, torch.Tensor] = {}

        def first(t):
            return t[0] if isinstance(t, tuple) else t

        pairs = [
            (self.projection(layer), "input", lambda _m, a: got.__setitem__("k", a[0])),
            (self.projection(layer), "output", lambda _m, _a, r: got.__setitem__("o", r)),
            (self.block(layer), "output", lambda _m, _a, r: got.__setitem__("h", first(r))),
        ]
        with torch.no_grad(), self.hooks(pairs):
            self.forward([p.ids for p in places])
        at = [p.lookup for p in places]
        pick = [got[key][torch.arange(len(at)), at].clone() for key in ("k", "o", "h")]
        return pick[0], pick[1], pick[2]

    def all_keys(self, layer: int, rows: list[list[int]]) -> torch.Tensor:
        """Projection input at every real token of the rows: [tokens, d_ff]."""
        got: list[torch.Tensor] = []
        with torch.no_grad(), self.hooks([(self.projection(layer), "input", lambda _m, a: got.append(a[0]))]):
            self.forward(rows)
        return torch.cat([got[0][i, : len(r)] for i, r in enumerate(rows)])

    def target_probability(self, prompt: list[int], target: list[int]) -> float:
        """Product over the target's tokens of p(token | what precedes it)."""
        with torch.no_grad():
            logits = self.forward([prompt + target[:-1]])[0, len(prompt) - 1 :]
        logp = logits.double().log_softmax(-1)
        return float(logp[torch.arange(len(target)), target].sum().exp())

    def last_logits(self, ids: list[int]) -> torch.Tensor:
        with torch.no_grad():
            return self.forward([ids])[0, -1].clone()
