"""Writes packages/editing/fixtures: ROME, MEMIT, EMMET, AlphaEdit, fine-tuning and causal tracing in float64.

The models are the fixtures `gpt2` (Conv1D, biases) and `llama` (gated MLP, Linear, a BOS token) of packages/transformer.
Usage: python make_editing_fixtures.py [pmet | random-state | adam]   (with a name: only that part, on the stored moments)
"""

from __future__ import annotations

import math
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parent / "editing"))

import fixture_tokenizer
import make_fixtures as base
import methods
from editable import Editable, Place
from fixture_tokenizer import text_of
from methods import Delta, Request
from pmet import JointOptions, joint_values, pmet
from trace import trace
from value import Value, ValueOptions, optimise
from weights import seed_of

ROOT = Path(__file__).resolve().parents[2] / "packages" / "editing" / "fixtures"
MODELS = {"gpt2": {"bos": [], "decay": 0.5}, "llama": {"bos": [1], "decay": 1e-3}}
ROME_LAYER = 1
# Not the last layer (3): what a block writes at the subject there is read by no later position.
BATCH_LAYERS = [0, 1, 2]
EMMET_LAYER = 2
# kT C^-1 k is about d_ff for an ordinary key, so this writes most of each residual.
MEMIT_LAMBDA = 5.0
ESSENCE = fixture_tokenizer.make(False).encode("is a").ids
CONTEXT_LENGTHS = [0, 3, 4, 5, 6, 4]


class Draw:
    """Seeded random ids over the printable part of the vocabulary."""

    def __init__(self, name: str):
        self.gen = torch.Generator().manual_seed(seed_of(name))

    def __call__(self, n: int) -> list[int]:
        return torch.randint(3, 96, (n,), generator=self.gen).tolist()


def plausible(ed: Editable, bos: list[int], parts: list[list[int]], count: int, rank: int) -> Request:
    """A target the model finds possible but not best, so that an edit can succeed: each token has the given rank."""
    prefix, subject, suffix = parts
    target: list[int] = []
    for _ in range(count):
        logits = ed.last_logits([*bos, *prefix, *subject, *suffix, *target])
        # Ids below 3 are special tokens, which no text contains.
        logits[:3] = -torch.inf
        target.append(int(logits.argsort(descending=True)[rank]))
    return Request(prefix, subject, suffix, target, ESSENCE)


def save64(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file({k: v.detach().contiguous().clone() for k, v in sorted(tensors.items())}, path)
    path.chmod(0o644)


def header(name: str) -> dict[str, Any]:
    return {"model": f"transformer/fixtures/{name}", "versions": base.versions(), "arithmetic": "float64"}


def request_json(r: Request) -> dict[str, Any]:
    hole = " ".join(filter(None, [text_of(r.prefix), "{}", text_of(r.suffix)]))
    return {
        "prompt": hole,
        "subject": text_of(r.subject),
        "target": text_of(r.target),
        "essence_prompt": "{} is a",
        "prefix_ids": r.prefix,
        "subject_ids": r.subject,
        "suffix_ids": r.suffix,
        "target_ids": r.target,
        "essence_ids": r.essence,
    }


def contexts_json(contexts: list[list[int]]) -> dict[str, Any]:
    return {
        "templates": [f"{text_of(c)} {{}}".strip() for c in contexts],
        "context_ids": contexts,
    }


def place_json(p: Place) -> dict[str, Any]:
    return {"ids": p.ids, "lookup": p.lookup}


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.double() - b.double()).norm() / b.double().norm())


def collect_moments(ed: Editable, folder: Path, bos: list[int]) -> dict[int, torch.Tensor]:
    """E[k kT] over every token of a fixed corpus, rounded to float32: the rounded matrix is the one that all edits use."""
    draw = Draw(f"editing/{ed.name}/corpus")
    corpus = [bos + draw(n) for n in ([24, 17, 31, 12] * 16)]
    moments, saved = {}, {}
    for layer in BATCH_LAYERS:
        keys = torch.cat([ed.all_keys(layer, [row]) for row in corpus])
        c = (keys.T @ keys / len(keys)).float()
        moments[layer] = c.double()
        saved[f"moment/{layer}"] = c
    save64(folder / "moments.safetensors", saved)
    base.write_json(
        folder / "moments.json",
        {
            **header(ed.name),
            "corpus_ids": corpus,
            "tokens": sum(map(len, corpus)),
            "condition": {str(i): float(torch.linalg.cond(c)) for i, c in moments.items()},
        },
    )
    return moments


def value_tensors(prefix: str, v: Value) -> dict[str, torch.Tensor]:
    return {f"{prefix}/initial": v.initial, f"{prefix}/delta": v.delta, f"{prefix}/delta_after_1": v.first_step}


def value_json(v: Value) -> dict[str, Any]:
    return {**v.trace, "clamped_steps": v.clamped_steps, "steps_taken": len(v.trace["loss"]) - 1}


def write_rome(ed: Editable, narrow: Editable, folder: Path, moments: dict[int, torch.Tensor], bos: list[int], decay: float) -> None:
    draw = Draw(f"editing/{ed.name}/rome")
    contexts = [draw(n) for n in CONTEXT_LENGTHS]
    plain = ValueOptions(decay=decay)
    cases = {
        "main": (plausible(ed, bos, [draw(2), draw(3), draw(2)], 2, 2), plain),
        "clamped": (plausible(ed, bos, [draw(1), draw(2), draw(2)], 1, 6), replace(plain, clamp=0.6, decay=0.5)),
        "first-token": (plausible(ed, bos, [[], draw(1), draw(2)], 3, 1), replace(plain, steps=25)),
        # The subject ends the prompt, so the shift acts on the prediction itself and the loss falls below the stop.
        "early-stop": (plausible(ed, bos, [draw(3), draw(1), []], 1, 1), replace(plain, decay=1e-3, kl_factor=0.01, steps=40)),
    }
    variants = {
        "original": ("original", True),
        "averaged": ("averaged", True),
        "prompt": ("prompt", True),
        "original-identity": ("original", False),
        "averaged-identity": ("averaged", False),
    }
    tensors: dict[str, torch.Tensor] = {}
    info: dict[str, Any] = {
        **header(ed.name),
        "layer": ROME_LAYER,
        "weight": ed.weight_name(ROME_LAYER),
        "stored_orientation": "in_out" if ed.stored_in_out else "out_in",
        "bos_ids": bos,
        **contexts_json(contexts),
        "cases": {},
    }
    for name, (r, options) in cases.items():
        places = [r.place(c, bos) for c in contexts]
        essence = r.essence_place(bos)
        value = optimise(ed, ROME_LAYER, "mlp", places, r.target, essence, options)
        twin = optimise(narrow, ROME_LAYER, "mlp", places, r.target, essence, options)
        swapped = optimise(ed, ROME_LAYER, "mlp", places, r.target, essence, options, wrong_kl=True)
        tensors.update(value_tensors(f"{name}/value", value))
        case: dict[str, Any] = {
            "request": request_json(r),
            "options": asdict(options),
            "rows": [place_json(p) for p in places],
            "essence_row": place_json(essence),
            "value": value_json(value),
            "probability_before": ed.target_probability(places[0].ids, r.target),
            "negative_controls": {"kl_direction_swapped_relative": relative(swapped.value, value.value)},
            "fp32": {"value_relative_error": relative(twin.value, value.value)},
            "variants": {},
        }
        for key, (keys, with_moment) in variants.items():
            moment = moments[ROME_LAYER] if with_moment else None
            result = methods.rome(ed, ROME_LAYER, places, value, moment, keys)
            rough = methods.rome(narrow, ROME_LAYER, places, twin, moment, keys)
            tensors[f"{name}/{key}/left"] = result.delta.left[:, 0]
            tensors[f"{name}/{key}/right"] = result.delta.right[:, 0]
            with ed.restored():
                before = ed.weight(ROME_LAYER)
                result.delta.apply(ed, ROME_LAYER)
                _, o, _ = ed.read(ROME_LAYER, places)
                tensors[f"{name}/{key}/logits"] = ed.last_logits(places[0].ids)
                case["variants"][key] = {
                    "keys": keys,
                    "moment": "stored" if with_moment else "identity",
                    "denominator": result.denominator,
                    "key_cosine": result.key_cosine,
                    "relative_norm": float(result.delta.full.norm() / before.norm()),
                    "probability_after": ed.target_probability(places[0].ids, r.target),
                    "bare_key_output_error": relative(o[0], value.value),
                    "mean_key_output_error": relative(o.mean(0), value.value),
                    "fp32_relative_error": relative(rough.delta.full, result.delta.full),
                }
        tensors[f"{name}/mean_key"], tensors[f"{name}/bare_key"] = result.mean_key, result.key
        assert case["variants"]["original"]["bare_key_output_error"] < 1e-9
        assert case["variants"]["averaged"]["mean_key_output_error"] < 1e-9
        info["cases"][name] = case
        report = {k: f"p {v['probability_after']:.3f} fp32 {v['fp32_relative_error']:.1e}" for k, v in case["variants"].items()}
        steps = f"steps {len(value.trace['loss']) - 1} clamped {value.clamped_steps}"
        print(ed.name, name, f"p {case['probability_before']:.1e}", steps, report, case["negative_controls"], flush=True)
    save64(folder / "rome.safetensors", tensors)
    base.write_json(folder / "rome.json", info)


def batch_requests(ed: Editable, bos: list[int]) -> tuple[list[Request], list[list[int]]]:
    draw = Draw(f"editing/{ed.name}/batch")
    requests = [
        plausible(ed, bos, [draw(2), draw(2), draw(1)], 1, 2),
        plausible(ed, bos, [draw(1), draw(3), draw(1)], 2, 1),
        plausible(ed, bos, [draw(2), draw(1), draw(2)], 1, 3),
        plausible(ed, bos, [draw(1), draw(2), draw(1)], 2, 1),
    ]
    return requests, [draw(n) for n in CONTEXT_LENGTHS]


def batch_tensors(prefix: str, result: methods.BatchResult) -> dict[str, torch.Tensor]:
    out = {}
    for layer, d in result.deltas.items():
        out[f"{prefix}{layer}/left"], out[f"{prefix}{layer}/right"] = d.left, d.right
        out[f"{prefix}{layer}/keys"] = result.keys[layer]
    return out


def write_batch_methods(ed: Editable, narrow: Editable, folder: Path, moments: dict[int, torch.Tensor], bos: list[int], decay: float) -> None:
    requests, contexts = batch_requests(ed, bos)
    options = ValueOptions(decay=decay, clamp=0.75)
    groups = [[[r.place(contexts[0], bos)], [r.place(c, bos) for c in contexts[1:]]] for r in requests]
    prompts = [(g[0][0].ids, r.target) for g, r in zip(groups, requests, strict=True)]
    shared = {
        **header(ed.name),
        "bos_ids": bos,
        **contexts_json(contexts),
        "context_groups": [[0], list(range(1, len(contexts)))],
        "requests": [request_json(r) for r in requests],
        "rows": [[place_json(p) for g in gs for p in g] for gs in groups],
        "essence_rows": [place_json(r.essence_place(bos)) for r in requests],
        "options": asdict(options),
        "probability_before": [ed.target_probability(*p) for p in prompts],
    }

    def finish(name: str, extra: dict[str, Any], tensors: dict[str, torch.Tensor], result: methods.BatchResult) -> None:
        info = {
            **shared,
            **extra,
            "weights": {str(i): ed.weight_name(i) for i in result.deltas},
            "residual_norms": {str(k): v for k, v in result.residual_norms.items()},
            "probability_after": [ed.target_probability(*p) for p in prompts],
        }
        tensors.update({f"logits/{i}": ed.last_logits(p[0]) for i, p in enumerate(prompts)})
        save64(folder / f"{name}.safetensors", tensors)
        base.write_json(folder / f"{name}.json", info)
        print(ed.name, name, info["probability_before"], info["probability_after"], info["residual_norms"],
              {k: v for k, v in extra.items() if "fp32" in k}, flush=True)

    top = BATCH_LAYERS[-1]
    values = methods.values_for(ed, top, "block", requests, contexts, bos, options)
    twins = methods.values_for(narrow, top, "block", requests, contexts, bos, options)
    value_parts = {k: t for i, v in enumerate(values) for k, t in value_tensors(f"value/{i}", v).items()}
    value_info = {"value_layer": top, "values": [value_json(v) for v in values],
                  "fp32_value_relative_error": [relative(t.value, v.value) for t, v in zip(twins, values, strict=True)]}

    for name, lam, divisor, rule in (
        ("memit", MEMIT_LAMBDA, lambda left: float(left), "layers left"),
        ("memit-sqrt", MEMIT_LAMBDA, lambda left: left**0.5, "square root of layers left (PMET's spread)"),
    ):
        solve = methods.memit_solve(moments, lam)
        with ed.restored(), narrow.restored():
            result = methods.spread_edit(ed, BATCH_LAYERS, groups, values, solve, divisor)
            rough = methods.spread_edit(narrow, BATCH_LAYERS, groups, twins, solve, divisor)
            errors = {str(i): relative(rough.deltas[i].full, result.deltas[i].full) for i in BATCH_LAYERS}
            finish(name, {**value_info, "layers": BATCH_LAYERS, "lambda": lam, "residual_divisor": rule,
                          "fp32_relative_error": errors}, {**value_parts, **batch_tensors("layer/", result)}, result)

    single = methods.values_for(ed, EMMET_LAYER, "block", requests, contexts, bos, options)
    scale, damp = 10.0, 0.1
    with ed.restored():
        result = methods.spread_edit(ed, [EMMET_LAYER], groups, single, methods.emmet_solve(moments, scale, damp))
        parts = {k: t for i, v in enumerate(single) for k, t in value_tensors(f"value/{i}", v).items()}
        finish("emmet", {"value_layer": EMMET_LAYER, "values": [value_json(v) for v in single], "layers": [EMMET_LAYER],
                         "moment_scale": scale, "damp": damp}, {**parts, **batch_tensors("layer/", result)}, result)

    write_alphaedit(ed, moments, groups, requests, contexts, bos, options, values, finish)


def write_pmet(ed: Editable, narrow: Editable, folder: Path, moments: dict[int, torch.Tensor], bos: list[int], decay: float) -> None:
    requests, contexts = batch_requests(ed, bos)
    # The subject ends this prompt: the shifts act on the prediction itself, so the target becomes the likeliest on the way.
    draw = Draw(f"editing/{ed.name}/pmet")
    requests = [*requests, plausible(ed, bos, [draw(3), draw(1), []], 1, 1)]
    options = JointOptions(decay=decay, clamp=2.0, kl_factor=1.0)
    groups = [[[r.place(contexts[0], bos)], [r.place(c, bos) for c in contexts[1:]]] for r in requests]
    top = BATCH_LAYERS[-1]
    found = joint_values(ed, top, requests, contexts, bos, options)
    twins = joint_values(narrow, top, requests, contexts, bos, options)
    alone = joint_values(ed, top, requests, contexts, bos, options, ("mlp",))
    steady = joint_values(ed, top, requests, contexts, bos, replace(options, settled_factor=1.0))
    tensors: dict[str, torch.Tensor] = {}
    for i, joint in enumerate(found):
        tensors.update(value_tensors(f"attn/{i}", joint.attn))
        tensors.update(value_tensors(f"value/{i}", joint.mlp))
    prompts = [(g[0][0].ids, r.target) for g, r in zip(groups, requests, strict=True)]
    before = [ed.target_probability(*p) for p in prompts]
    with ed.restored(), narrow.restored():
        result = pmet(ed, BATCH_LAYERS, groups, [j.mlp for j in found], moments, MEMIT_LAMBDA)
        rough = pmet(narrow, BATCH_LAYERS, groups, [j.mlp for j in twins], moments, MEMIT_LAMBDA)
        tensors.update(batch_tensors("layer/", result))
        tensors.update({f"logits/{i}": ed.last_logits(p[0]) for i, p in enumerate(prompts)})
        after = [ed.target_probability(*p) for p in prompts]
    info = {
        **header(ed.name),
        "bos_ids": bos,
        **contexts_json(contexts),
        "requests": [request_json(r) for r in requests],
        "rows": [[place_json(p) for g in gs for p in g] for gs in groups],
        "options": asdict(options),
        "layers": BATCH_LAYERS,
        "lambda": MEMIT_LAMBDA,
        "values": [value_json(j.mlp) for j in found],
        "residual_norms": {str(k): v for k, v in result.residual_norms.items()},
        "probability_before": before,
        "probability_after": after,
        "negative_controls": {
            "without_attention_relative": [relative(a.mlp.delta, j.mlp.delta) for a, j in zip(alone, found, strict=True)],
            "without_adaptive_weight_relative": [relative(a.mlp.delta, j.mlp.delta) for a, j in zip(steady, found, strict=True)],
        },
        "fp32": {
            "delta_relative_error": {str(i): relative(rough.deltas[i].full, result.deltas[i].full) for i in BATCH_LAYERS},
        },
    }
    save64(folder / "pmet.safetensors", tensors)
    base.write_json(folder / "pmet.json", info)
    settled = [sum(j.mlp.trace["settled"]) for j in found]
    steps = [len(j.mlp.trace["loss"]) for j in found]
    print(ed.name, "pmet", before, after, "steps", steps, "settled", settled, info["negative_controls"], info["fp32"], flush=True)


def middle(eigenvalues: torch.Tensor) -> float:
    half = len(eigenvalues) // 2
    return float(eigenvalues[half - 1 : half + 1].mean())


def write_alphaedit(ed, moments, groups, requests, contexts, bos, options, values, finish) -> None:
    """Two batches of two edits: the second is solved on the model that the first changed, and sees its keys."""
    l2 = 1.0
    # Half way between two middle eigenvalues: no rounding can move one across.
    thresholds = {i: middle(torch.linalg.eigvalsh(c)) for i, c in moments.items()}
    projectors = {i: methods.null_projector(c, thresholds[i]) for i, c in moments.items()}
    past: dict[int, torch.Tensor] = {}
    tensors: dict[str, torch.Tensor] = {}
    info: list[dict[str, Any]] = []
    with ed.restored():
        for batch in (0, 1):
            mine = slice(2 * batch, 2 * batch + 2)
            found = values[mine] if batch == 0 else methods.values_for(
                ed, BATCH_LAYERS[-1], "block", requests[mine], contexts, bos, options
            )
            result = methods.spread_edit(
                ed, BATCH_LAYERS, groups[mine], found, methods.alphaedit_solve(projectors, past, l2)
            )
            for layer, d in result.deltas.items():
                assert relative(projectors[layer] @ d.left, d.left) < 1e-9, "the change must stay in the null space"
            tensors.update(batch_tensors(f"batch/{batch}/", result))
            for i, v in enumerate(found):
                tensors.update(value_tensors(f"batch/{batch}/value/{i}", v))
            # The keys of this batch again, now on the model it has changed.
            for layer in BATCH_LAYERS:
                k = torch.stack([methods.grouped_keys(ed, layer, g) for g in groups[mine]], 1)
                past[layer] = torch.cat([past[layer], k], 1) if layer in past else k
                tensors[f"batch/{batch}/{layer}/past_keys"] = past[layer]
            info.append({"edits": [2 * batch, 2 * batch + 1], "values": [value_json(v) for v in found],
                         "residual_norms": {str(k): v for k, v in result.residual_norms.items()}})
        finish(
            "alphaedit",
            {
                "value_layer": BATCH_LAYERS[-1],
                "layers": BATCH_LAYERS,
                "l2": l2,
                "nullspace_threshold": {str(i): t for i, t in thresholds.items()},
                "nullspace_dimension": {str(i): round(float(p.trace())) for i, p in projectors.items()},
                "batches": info,
            },
            tensors,
            result,
        )


def write_fine_tune(ed: Editable, folder: Path, bos: list[int]) -> None:
    r = batch_requests(ed, bos)[0][1]
    place = r.place([], bos)
    tensors, runs = {}, {}
    for objective, name in (("prompt_last", "ft-l"), ("target", "ft-m")):
        steps, lr, epsilon = 25, 5e-3, 3e-2
        run = methods.fine_tune(ed, ROME_LAYER, place.ids, r.target, objective, steps, lr, epsilon)
        tensors[f"{name}/delta"] = run.delta
        with ed.restored():
            ed.set_weight(ROME_LAYER, ed.weight(ROME_LAYER) + run.delta)
            after = ed.target_probability(place.ids, r.target)
        runs[name] = {
            "objective": objective, "steps": steps, "lr": lr, "epsilon": epsilon, "stop_loss": 1e-2,
            "losses": run.losses, "clamped_fraction": run.clamped_fraction, "max_abs_delta": float(run.delta.abs().max()),
            "probability_before": ed.target_probability(place.ids, r.target), "probability_after": after,
        }
        print(ed.name, name, run.losses[0], run.losses[-1], len(run.losses), run.clamped_fraction, after, flush=True)
    save64(folder / "fine-tune.safetensors", tensors)
    base.write_json(
        folder / "fine-tune.json",
        {**header(ed.name), "layer": ROME_LAYER, "weight": ed.weight_name(ROME_LAYER), "bos_ids": bos,
         "request": request_json(r), "row": place_json(place), "runs": runs},
    )


def write_trace(ed: Editable, folder: Path, bos: list[int]) -> None:
    draw = Draw(f"editing/{ed.name}/trace")
    subject, begin = draw(3), len(bos) + 1
    prompt = [*bos, *draw(1), *subject, *draw(5)]
    subjects = [subject, draw(2), draw(4), draw(1)]
    rows = ed.model.get_input_embeddings().weight[[t for s in subjects for t in s]]
    sigma = 3 * float(rows.double().std())
    result = trace(ed, prompt, begin, begin + len(subject), sigma, 10, [2, 3])
    base.write_json(
        folder / "trace.json",
        {
            **header(ed.name), "prompt_ids": prompt, "subject_span": [begin, begin + len(subject)], "samples": 10,
            "noise_subjects": subjects, "sigma": sigma, "sigma_rule": "3 * unbiased std over all entries of the subjects' token embeddings",
            "noise_rule": "sigma * numpy.random.RandomState(1).randn(samples, span, d), seeded anew for every run, added to the token embedding of rows 1..samples",
            "answer": result.answer, "high_score": result.high, "low_score": result.low,
            "state": result.state, "mlp": {str(k): v for k, v in result.mlp.items()},
            "attn": {str(k): v for k, v in result.attn.items()}, "state_mlp_severed": result.state_mlp_severed,
            "tables": "[token][layer]; mlp and attn by window width",
        },
    )
    print(ed.name, "trace", result.high, result.low, result.state[-1][-1], result.state[begin + 2], flush=True)


def exact_log(x: float) -> float:
    """The logarithm rounded once, from 200 bits; the C library under numpy is off by a bit for some arguments."""
    with mpmath.workprec(200):
        return float(mpmath.log(mpmath.mpf(x)))


def exact_gauss(seed: int, count: int) -> np.ndarray:
    """The polar method on numpy's own uniform draws, with `exact_log`."""
    state = np.random.RandomState(seed)
    out: list[float] = []
    while len(out) < count:
        x, y = (2.0 * state.random_sample() - 1.0 for _ in range(2))
        square = x * x + y * y
        if square >= 1.0 or square == 0.0:
            continue
        factor = math.sqrt(-2.0 * exact_log(square) / square)
        out += [factor * y, factor * x]
    return np.array(out[:count])


def write_random_state() -> None:
    """numpy's legacy streams, for the port of MT19937: uniform draws, and Gaussians with numpy's and with the exact logarithm."""
    tensors = {}
    for seed, count in ((1, 5000), (20240607, 64)):
        tensors[f"seed/{seed}"] = torch.from_numpy(np.random.RandomState(seed).randn(count))
        tensors[f"exact/{seed}"] = torch.from_numpy(exact_gauss(seed, count))
        tensors[f"uniform/{seed}"] = torch.from_numpy(np.random.RandomState(seed).random_sample(count))
        differing = int((tensors[f"seed/{seed}"] != tensors[f"exact/{seed}"]).sum())
        print("random state", seed, "draws in which numpy's logarithm is off by a bit:", differing, flush=True)
    save64(ROOT / "random-state.safetensors", tensors)


def write_adam() -> None:
    """torch.optim.Adam in float64 on gradients of every size, down to its epsilon: [step][component]."""
    gen = torch.Generator().manual_seed(8)
    sizes = torch.tensor([10.0**k for k in range(-9, 3)], dtype=torch.float64)
    gradients = torch.randn(19, len(sizes), generator=gen, dtype=torch.float64) * sizes
    x = torch.zeros(len(sizes), dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([x], lr=0.5)
    after = []
    for gradient in gradients:
        x.grad = gradient.clone()
        adam.step()
        after.append(x.detach().tolist())
    base.write_json(ROOT / "adam.json", {"learning_rate": 0.5, "versions": base.versions(), "gradients": gradients.tolist(), "after": after})


if __name__ == "__main__":
    torch.set_num_threads(1)
    only = sys.argv[1] if len(sys.argv) > 1 else None
    alone = {"random-state": write_random_state, "adam": write_adam}
    if only not in (None, "pmet", *alone):
        sys.exit(f"no part {only}: give pmet, random-state or adam, or nothing for all")
    if only in alone:
        alone[only]()
        sys.exit()
    for model_name, how in MODELS.items():
        target = ROOT / model_name
        if only == "pmet":
            stored = load_file(target / "moments.safetensors")
            kept = {i: stored[f"moment/{i}"].double() for i in BATCH_LAYERS}
            pair = Editable(model_name), Editable(model_name, torch.float32)
            write_pmet(*pair, target, kept, how["bos"], how["decay"])
            continue
        shutil.rmtree(target, ignore_errors=True)
        fixture_tokenizer.save(target / "tokenizer", bool(how["bos"]))
        wide, fp32 = Editable(model_name), Editable(model_name, torch.float32)
        moment = collect_moments(wide, target, how["bos"])
        write_rome(wide, fp32, target, moment, how["bos"], how["decay"])
        write_batch_methods(wide, fp32, target, moment, how["bos"], how["decay"])
        write_pmet(wide, fp32, target, moment, how["bos"], how["decay"])
        write_fine_tune(wide, target, how["bos"])
        write_trace(wide, target, how["bos"])
    if only is None:
        write_random_state()
        write_adam()
