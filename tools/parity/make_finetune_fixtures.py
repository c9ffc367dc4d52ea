"""Writes packages/finetune/fixtures: PEFT adapters with golden logits, and AdamW training goldens.

The base models are the fixtures `llama` and `gpt2` of packages/transformer. Usage: python make_finetune_fixtures.py
"""

from __future__ import annotations

import json
import math
import shutil
import warnings
from pathlib import Path
from typing import Any, Callable

import peft
import safetensors.torch
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import get_scheduler

import make_fixtures as base
from precision import Float64
from record import logits_of
from weights import seed_of

ROOT = Path(__file__).resolve().parents[2] / "packages" / "finetune" / "fixtures"
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
LINEAR = [*ATTENTION, "gate_proj", "up_proj", "down_proj"]
STEPS = 20
ADAMW = {"lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.1}
CLIP = 1.0
WARMUP = 2

ADAPTERS: dict[str, dict[str, Any]] = {
    "lora": {"base": "llama", "config": {"r": 4, "lora_alpha": 8, "target_modules": LINEAR}},
    "lora-rslora": {
        "base": "llama",
        "config": {"r": 4, "lora_alpha": 8, "target_modules": LINEAR, "use_rslora": True},
    },
    "lora-attention": {
        "base": "llama",
        "config": {"r": 4, "lora_alpha": 8, "target_modules": ATTENTION, "modules_to_save": []},
    },
    "lora-pattern": {
        "base": "llama",
        "config": {
            "r": 4,
            "lora_alpha": 8,
            "target_modules": ["q_proj", "down_proj"],
            "rank_pattern": {"down_proj": 2},
            "alpha_pattern": {"down_proj": 6},
            "layers_to_transform": [1, 3],
        },
    },
    "lora-gpt2": {
        "base": "gpt2",
        "config": {"r": 4, "lora_alpha": 8, "target_modules": ["c_attn", "c_fc", "c_proj"], "fan_in_fan_out": True},
    },
}

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def load_base(name: str):
    return base.load(base.ROOT / name)


def lora_config(options: dict[str, Any]) -> LoraConfig:
    return LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, bias="none", **options)


def fill_lora(model: PeftModel, name: str) -> None:
    """Both factors random: PEFT's zero B would make every adapter the identity."""
    gen = torch.Generator().manual_seed(seed_of(f"adapter/{name}"))
    with torch.no_grad():
        for key, p in sorted(model.named_parameters()):
            if "lora_" in key:
                p.copy_(torch.randn(p.shape, generator=gen) * (0.7 / math.sqrt(p.shape[1])))


def save_adapter(model: PeftModel, folder: Path, base_name: str) -> None:
    model.peft_config["default"].base_model_name_or_path = f"../../../transformer/fixtures/{base_name}"
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # a model card template, nothing of ours
    # The library keeps the targets in a set and writes them in whatever order that has today.
    config = folder / "adapter_config.json"
    fields = json.loads(config.read_text())
    fields["target_modules"] = sorted(fields["target_modules"])
    config.write_text(json.dumps(fields, indent=2, sort_keys=True))
    for file in folder.iterdir():
        file.chmod(0o644)


def lora_layers(model: PeftModel) -> list[LoraLayer]:
    return [m for m in model.modules() if isinstance(m, LoraLayer)]


def versions() -> dict[str, str]:
    return {**base.versions(), "peft": peft.__version__}


def write_adapter(name: str, spec: dict[str, Any]) -> None:
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    model = get_peft_model(load_base(spec["base"]), lora_config(spec["config"])).eval()
    fill_lora(model, name)
    save_adapter(model, folder, spec["base"])
    prompts = json.loads((base.ROOT / spec["base"] / "golden.json").read_text())["prompts"]
    loaded = PeftModel.from_pretrained(load_base(spec["base"]), folder).eval()
    tensors = {f"logits/{k}": logits_of(loaded, ids) for k, ids in prompts.items()}
    long = prompts["long"]
    plain = logits_of(load_base(spec["base"]), long)
    config = loaded.peft_config["default"]
    scales = sorted({float(m.scaling["default"]) for m in lora_layers(loaded)})
    with_plain_scale = PeftModel.from_pretrained(load_base(spec["base"]), folder).eval()
    for m in lora_layers(with_plain_scale):
        m.scaling["default"] = 1.0 if not config.use_rslora else config.lora_alpha / config.r
    controls = {
        "adapter_ignored": float((plain - tensors["logits/long"]).abs().max()),
        "wrong_scale": float((logits_of(with_plain_scale, long) - tensors["logits/long"]).abs().max()),
    }
    merged = PeftModel.from_pretrained(load_base(spec["base"]), folder).merge_and_unload().eval()
    base.save_tensors(folder / "golden.safetensors", tensors)
    base.write_json(
        folder / "golden.json",
        {
            "base": f"transformer/fixtures/{spec['base']}",
            "versions": versions(),
            "prompts": prompts,
            "scales": scales,
            "negative_controls": controls,
            "merged_max_abs_diff": float((logits_of(merged, long) - tensors["logits/long"]).abs().max()),
        },
    )
    print(name, [(f.name, f.stat().st_size) for f in sorted(folder.iterdir())], scales, controls, flush=True)


def training_batch() -> dict[str, list[list[int]]]:
    """Three rows of unequal length, padded on the right; only the completion of each row carries labels."""
    gen = torch.Generator().manual_seed(seed_of("finetune/batch"))
    rows = [torch.randint(3, 96, (n,), generator=gen).tolist() for n in (18, 11, 14)]
    prompt_lengths = [7, 5, 9]
    width = max(map(len, rows))
    return {
        "prompt_lengths": prompt_lengths,
        "input_ids": [r + [0] * (width - len(r)) for r in rows],
        "attention_mask": [[1] * len(r) + [0] * (width - len(r)) for r in rows],
        "labels": [
            [-100] * p + r[p:] + [-100] * (width - len(r)) for r, p in zip(rows, prompt_lengths, strict=True)
        ],
    }


def lr_factor(step: int) -> float:
    """Step counts from 0. Not the library's schedule, whose first step has rate 0 and would test nothing."""
    return min(1.0, (step + 1) / WARMUP)


def train(model, batch: dict[str, Any]) -> dict[str, Any]:
    params = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    groups = [
        {"params": [p for _, p in params if p.ndim >= 2], "weight_decay": ADAMW["weight_decay"]},
        {"params": [p for _, p in params if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=ADAMW["lr"], betas=tuple(ADAMW["betas"]), eps=ADAMW["eps"])
    inputs = {k: torch.tensor(batch[k]) for k in ("input_ids", "attention_mask", "labels")}
    out: dict[str, Any] = {"loss": [], "grad_norm": [], "lr": [], "after": {}}
    model.train()
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = ADAMW["lr"] * lr_factor(step)
        loss = model(**inputs, use_cache=False).loss
        if step == 0:
            grads = torch.autograd.grad(loss, [p for _, p in params], retain_graph=True)
            out["grad"] = dict(zip([n for n, _ in params], grads, strict=True))
        optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_([p for _, p in params], CLIP)
        optimiser.step()
        out["loss"].append(float(loss.detach()))
        out["grad_norm"].append(float(norm))
        out["lr"].append(optimiser.param_groups[0]["lr"])
        if step in (0, STEPS - 1):
            out["after"][step + 1] = {n: p.detach().clone() for n, p in params}
    with torch.no_grad():
        out["final_loss"] = float(model(**inputs, use_cache=False).loss)
    return out


def compare(narrow: dict[str, torch.Tensor], wide: dict[str, torch.Tensor]) -> float:
    return max(float((narrow[n].double() - wide[n]).abs().max()) for n in narrow)


def spread(narrow: torch.Tensor, wide: torch.Tensor) -> dict[str, float]:
    error = narrow.double() - wide
    return {"max": float(error.abs().max()), "rms": float(error.square().mean().sqrt())}


def save_float64(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Gradients of the first step in float64: which of two fp32 results is closer is decided by these."""
    safetensors.torch.save_file({k: v.detach().contiguous() for k, v in sorted(tensors.items())}, path)
    path.chmod(0o644)


def write_training(
    name: str,
    make: Callable[[], Any],
    rename: Callable[[str], str],
    keep_gradient: Callable[[str], bool],
    extra: dict[str, Any],
) -> None:
    folder = ROOT / name
    folder.mkdir(parents=True, exist_ok=True)
    batch = training_batch()
    run = train(make(), batch)
    twin = make().double()
    with Float64():
        wide = train(twin, batch)
    tensors = {f"after/{step}/{rename(n)}": p for step, ps in run["after"].items() for n, p in ps.items()}
    tensors.update({f"grad/{rename(n)}": g for n, g in run["grad"].items() if keep_gradient(n)})
    base.save_tensors(folder / "golden.safetensors", tensors)
    save_float64(folder / "float64.safetensors", {f"grad/{rename(n)}": g for n, g in wide["grad"].items()})
    base.write_json(
        folder / "golden.json",
        {
            **extra,
            "versions": versions(),
            "optimizer": {
                "name": "AdamW",
                **ADAMW,
                "weight_decay_rule": "parameters with two or more dimensions (embedding and head included); none on vectors",
                "clip_grad_norm": CLIP,
                "clip_rule": "all trained parameters together: scale by min(1, max_norm / (norm + 1e-6))",
                "warmup_steps": WARMUP,
                "schedule": "lr * min(1, (step + 1) / warmup_steps), step from 0",
            },
            "batch": batch,
            "loss_rule": "mean over all label tokens of the batch, labels shifted by one",
            "steps": STEPS,
            "lr": run["lr"],
            "loss": run["loss"],
            "final_loss": run["final_loss"],
            "grad_norm_before_clip": run["grad_norm"],
            "noise_floor_fp32_vs_fp64": {
                "loss": max(abs(a - b) for a, b in zip(run["loss"], wide["loss"], strict=True)),
                "after_1": compare(run["after"][1], wide["after"][1]),
                f"after_{STEPS}": compare(run["after"][STEPS], wide["after"][STEPS]),
            },
            "gradient_error_fp32_vs_fp64": {rename(n): spread(g, wide["grad"][n]) for n, g in run["grad"].items()},
        },
    )
    noise = json.loads((folder / "golden.json").read_text())["noise_floor_fp32_vs_fp64"]
    print(name, run["loss"][0], run["final_loss"], noise, (folder / "golden.safetensors").stat().st_size, flush=True)


def lora_for_training() -> PeftModel:
    """PEFT's own start: A random, B zero. Read from the adapter folder, so that both sides begin alike."""
    return PeftModel.from_pretrained(load_base("llama"), ROOT / "train-lora" / "init", is_trainable=True)


def write_lora_start() -> None:
    folder = ROOT / "train-lora" / "init"
    shutil.rmtree(ROOT / "train-lora", ignore_errors=True)
    torch.manual_seed(seed_of("finetune/lora-start"))
    model = get_peft_model(load_base("llama"), lora_config({"r": 4, "lora_alpha": 8, "target_modules": LINEAR}))
    save_adapter(model, folder, "llama")


def file_name_of(key: str) -> str:
    """The key that PEFT writes into adapter_model.safetensors."""
    return key.replace(".default.", ".")


def write_schedules() -> None:
    total, warmup = 12, 3
    table = {}
    for kind in ("linear", "cosine", "constant_with_warmup"):
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        schedule = get_scheduler(kind, optimiser, num_warmup_steps=warmup, num_training_steps=total)
        rates = []
        for _ in range(total + 1):
            rates.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step()
        table[kind] = rates
    base.write_json(
        ROOT / "schedules.json",
        {"versions": versions(), "warmup_steps": warmup, "total_steps": total, "factor_at_step_from_0": table},
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    ROOT.mkdir(parents=True, exist_ok=True)
    for key, value in ADAPTERS.items():
        write_adapter(key, value)
    write_schedules()
    shutil.rmtree(ROOT / "train-full", ignore_errors=True)
    write_training(
        "train-full",
        lambda: load_base("llama"),
        lambda n: n,
        lambda n: ".layers." not in n or ".layers.1." in n,
        {"base": "transformer/fixtures/llama"},
    )
    write_lora_start()
    write_training(
        "train-lora",
        lora_for_training,
        file_name_of,
        lambda n: True,
        {"base": "transformer/fixtures/llama", "adapter": "train-lora/init"},
    )
