"""The value of an edit: a shift found by Adam at one token (facts: editing.md 1.6 and 2.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from editable import Editable, Place


@dataclass(frozen=True)
class ValueOptions:
    lr: float = 0.5
    steps: int = 20
    kl_factor: float = 0.0625
    decay: float = 0.5
    clamp: float = 4.0
    stop_loss: float = 0.05


@dataclass
class Value:
    initial: torch.Tensor
    delta: torch.Tensor
    first_step: torch.Tensor
    trace: dict[str, list[float]] = field(default_factory=dict)
    clamped_steps: int = 0

    @property
    def value(self) -> torch.Tensor:
        return self.initial + self.delta


def optimise(
    ed: Editable,
    layer: int,
    where: str,
    places: list[Place],
    target: list[int],
    essence: Place,
    options: ValueOptions,
    wrong_kl: bool = False,
) -> Value:
    """Shift added to the output of `where` at every row's lookup token, the essence row included.

    places[0] is the bare prompt; places hold no target. Loss = mean over rows of the target's mean NLL
    + kl_factor * sum p_now (log p_now - log p_initial) at the essence's lookup + decay * |shift| / |initial|^2.
    """
    rows = [p.ids + target[:-1] for p in places] + [essence.ids]
    at = [p.lookup for p in places] + [essence.lookup]
    n, count = len(places), len(target)
    index = torch.arange(len(rows))
    state: dict[str, torch.Tensor] = {}
    shift: torch.Tensor | None = None

    def inject(_m, _args, result):
        out = result[0] if isinstance(result, tuple) else result
        if "initial" not in state:
            state["initial"] = out[0, at[0]].detach().clone()
            state["width"] = torch.tensor(out.shape[-1])
        if shift is None:
            return result
        out = out.clone()
        out[index, at] = out[index, at] + shift
        return (out, *result[1:]) if isinstance(result, tuple) else out

    with ed.hooks([(ed.site(layer, where), "output", inject)]):
        with torch.no_grad():
            ed.forward(rows)
        size = state["initial"].shape[0]
        shift = torch.zeros(size, dtype=ed.dtype, requires_grad=True)
        m = torch.zeros(size, dtype=torch.float64)
        v = torch.zeros(size, dtype=torch.float64)
        found = Value(state["initial"], shift.detach().clone(), shift.detach().clone())
        trace: dict[str, list[float]] = {"nll": [], "kl": [], "decay": [], "loss": [], "delta_norm": []}
        start_logp: torch.Tensor | None = None
        for step in range(options.steps):
            logp = ed.forward(rows).log_softmax(-1)
            nll = torch.zeros((), dtype=ed.dtype)
            for i, p in enumerate(places):
                where_labels = torch.arange(len(p.ids) - 1, len(p.ids) - 1 + count)
                nll = nll - logp[i, where_labels, target].sum() / count
            nll = nll / n
            now = logp[n, essence.lookup]
            if start_logp is None:
                start_logp = now.detach().clone()
            kl = (start_logp.exp() * (start_logp - now)).sum() if wrong_kl else (now.exp() * (now - start_logp)).sum()
            kl = options.kl_factor * kl
            # torch's norm has gradient 0 at the zero vector, where this starts.
            decay = options.decay * shift.norm() / found.initial.norm() ** 2
            loss = nll + kl + decay
            for key, term in (("nll", nll), ("kl", kl), ("decay", decay), ("loss", loss)):
                trace[key].append(float(term.detach()))
            trace["delta_norm"].append(float(shift.detach().norm()))
            if float(loss.detach()) < options.stop_loss or step == options.steps - 1:
                break
            (g,) = torch.autograd.grad(loss, shift)
            g = g.double()
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g * g
            moved = (m / (1 - 0.9 ** (step + 1))) / ((v / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
            with torch.no_grad():
                shift -= (options.lr * moved).to(ed.dtype)
                limit = options.clamp * found.initial.norm()
                if shift.norm() > limit:
                    shift *= limit / shift.norm()
                    found.clamped_steps += 1
            if step == 0:
                found.first_step = shift.detach().clone()
        found.delta = shift.detach().clone()
    found.trace = trace
    return found
