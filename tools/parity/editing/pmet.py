"""PMET: shifts of the attention and the MLP output found together; only the MLP's is written (facts: editing.md 2.4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from editable import Editable, Place
from methods import BatchResult, Delta, Request, grouped_keys, memit_solve
from value import Value, ValueOptions

SITES = ("attn", "mlp")


@dataclass(frozen=True)
class JointOptions(ValueOptions):
    nll_factor: float = 1.0
    # What the likelihood's weight becomes once every target token is the likeliest, and the weighted KL that then ends the search.
    settled_factor: float = 0.1
    settled_kl: float = 0.01


@dataclass
class Joint:
    """One value a site; both carry the trace of the common search."""

    attn: Value
    mlp: Value


def optimise_joint(
    ed: Editable,
    layer: int,
    places: list[Place],
    target: list[int],
    essence: Place,
    options: JointOptions,
    sites: tuple[str, ...] = SITES,
) -> Joint:
    """`sites` leaves a shift out for the negative control; the other is then found alone."""
    rows = [p.ids + target[:-1] for p in places] + [essence.ids]
    at = torch.tensor([p.lookup for p in places] + [essence.lookup])
    n, count = len(places), len(target)
    labels = torch.tensor(target)
    size = ed.model.config.hidden_size
    shift = {s: torch.zeros(size, dtype=ed.dtype, requires_grad=True) for s in SITES}
    initial: dict[str, torch.Tensor] = {}

    def add(site: str):
        def hook(_m, _a, result):
            out = result[0] if isinstance(result, tuple) else result
            initial.setdefault(site, out[0, places[0].lookup].detach().clone())
            if site not in sites:
                return result
            moved = out.clone()
            moved[torch.arange(len(rows)), at] += shift[site]
            return (moved, *result[1:]) if isinstance(result, tuple) else moved

        return hook

    moments = {s: [torch.zeros(size, dtype=torch.float64) for _ in range(2)] for s in SITES}
    keys = ("nll", "kl", "decay", "loss", "factor", "settled")
    trace: dict[str, list[float]] = {key: [] for key in keys}
    first_step = {s: torch.zeros(size, dtype=ed.dtype) for s in SITES}
    clamped = dict.fromkeys(SITES, 0)
    weight = options.nll_factor
    start: torch.Tensor | None = None
    with ed.hooks([(ed.site(layer, s), "output", add(s)) for s in SITES]):
        for step in range(options.steps):
            logp = ed.forward(rows).log_softmax(-1)
            scored = torch.stack([logp[i, len(p.ids) - 1 : len(p.ids) - 1 + count] for i, p in enumerate(places)])
            nll = -scored[:, torch.arange(count), labels].mean(1).mean()
            now = logp[n, essence.lookup]
            start = now.detach().clone() if start is None else start
            kl = options.kl_factor * (now.exp() * (now - start)).sum()
            decay = options.decay * sum(shift[s].norm() / initial[s].norm() ** 2 for s in SITES)
            loss = weight * nll + kl + decay
            settled = bool((scored.argmax(-1) == labels).all())
            for key, term in zip(keys, (nll, kl, decay, loss, weight, settled), strict=True):
                trace[key].append(float(term))
            if float(loss) < options.stop_loss:
                break
            weight = options.nll_factor * (options.settled_factor if settled else 1.0)
            if (settled and float(kl) <= options.settled_kl) or step == options.steps - 1:
                break
            # The gradient is of the loss as it was weighed, before the weight changed.
            for s, g in zip(sites, torch.autograd.grad(loss, [shift[s] for s in sites]), strict=True):
                g = g.double()
                m, v = moments[s]
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.999).add_(0.001 * g * g)
                moved = (m / (1 - 0.9 ** (step + 1))) / ((v / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
                with torch.no_grad():
                    shift[s] -= (options.lr * moved).to(ed.dtype)
                    limit = options.clamp * initial[s].norm()
                    if shift[s].norm() > limit:
                        shift[s] *= limit / shift[s].norm()
                        clamped[s] += 1
            if step == 0:
                first_step = {s: shift[s].detach().clone() for s in SITES}
    values = {s: Value(initial[s], shift[s].detach().clone(), first_step[s], trace, clamped[s]) for s in SITES}
    return Joint(**values)


def joint_values(
    ed: Editable, layer: int, requests: list[Request], contexts: list[list[int]], bos: list[int], o: JointOptions,
    sites: tuple[str, ...] = SITES,
) -> list[Joint]:
    return [
        optimise_joint(ed, layer, [r.place(c, bos) for c in contexts], r.target, r.essence_place(bos), o, sites)
        for r in requests
    ]


def pmet(
    ed: Editable, layers: list[int], groups: list[list[list[Place]]], values: list[Value],
    moments: dict[int, torch.Tensor], lam: float,
) -> BatchResult:
    """Residuals of the MLP's own output at the last layer, over the square root of the layers left. Leaves the model edited."""
    z = torch.stack([v.value.double() for v in values], 1)
    solve = memit_solve(moments, lam)
    out = BatchResult({}, {}, {}, values)
    for i, layer in enumerate(layers):
        k = torch.stack([grouped_keys(ed, layer, g) for g in groups], 1)
        o = torch.stack([ed.read(layers[-1], [g[0][0]])[1][0].double() for g in groups], 1)
        out.residual_norms[layer] = (z - o).norm(dim=0).tolist()
        delta = Delta(*solve(layer, k, (z - o) / (len(layers) - i) ** 0.5))
        delta.apply(ed, layer)
        out.deltas[layer], out.keys[layer] = delta, k
    return out
