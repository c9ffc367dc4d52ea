"""Writes packages/transformer/fixtures: tiny checkpoints as Hugging Face saves them, with golden outputs.

Usage: python make_fixtures.py [family ... | storage]      (no argument: all of them)
"""

from __future__ import annotations

import copy
import json
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, Callable

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, PreTrainedModel

import controls
import record
from families import BY_NAME, Family
from precision import logits64
from weights import bare, build, seed_of

ROOT = Path(__file__).resolve().parents[2] / "packages" / "transformer" / "fixtures"
LENGTHS = {"p7": 7, "p11": 11, "p15": 15, "long": 22}
STORAGE: dict[str, dict[str, Any]] = {
    "llama-sharded": {"max_shard_size": "64KB"},
    "llama-bf16": {"dtype": torch.bfloat16},
    "llama-f16": {"dtype": torch.float16},
}
LEAST_MARGIN = 2e-3  # a greedy step closer than this could flip within the tolerance of a port

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def prompts_of(name: str, attempt: int) -> dict[str, list[int]]:
    gen = torch.Generator().manual_seed(seed_of(f"{name}/prompts/{attempt}"))
    prompts = {key: torch.randint(3, 96, (n,), generator=gen).tolist() for key, n in LENGTHS.items()}
    # A real token that equals the pad id: a mask guessed from ids would drop it.
    prompts["p15"][4] = 0
    return prompts


def load(folder: Path, **kwargs: Any) -> PreTrainedModel:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", **kwargs)
    return model.eval()


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Two-space JSON with number lists kept on one line."""
    flat: list[str] = []

    def fold(value: Any) -> Any:
        if isinstance(value, list) and all(isinstance(v, (int, float)) for v in value):
            flat.append(json.dumps(value))
            return f"@@{len(flat) - 1}@@"
        if isinstance(value, dict):
            return {k: fold(v) for k, v in value.items()}
        if isinstance(value, list):
            return [fold(v) for v in value]
        return value

    text = json.dumps(fold(data), indent=2)
    for i, line in enumerate(flat):
        text = text.replace(f'"@@{i}@@"', line)
    path.write_text(text + "\n")


def save_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file({k: v.detach().to(torch.float32).contiguous() for k, v in sorted(tensors.items())}, path)
    path.chmod(0o644)  # the writer leaves it readable to its owner alone


def versions() -> dict[str, str]:
    return {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}


def two_layers(model: PreTrainedModel, layers: int) -> list[int]:
    """Layers whose attention maps are kept: one of each kind where a model mixes kinds, else first and last."""
    kinds = getattr(model.config, "layer_types", None)
    if kinds and len(set(kinds)) > 1:
        return [kinds.index(kind) for kind in sorted(set(kinds))]
    return [0, layers - 1]


def golden(family: Family, fresh: Callable[[], PreTrainedModel], full: bool) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """`fresh` gives a newly built model: length-dependent rotary tables keep state between calls."""
    model = fresh()
    layers = len(record.submodule(model, family.layout.blocks))
    deep = layers // 2
    for attempt in range(40):
        prompts = prompts_of(family.name, attempt)
        greedy = {key: record.greedy(fresh, ids) for key, ids in prompts.items()}
        margin = min(m for _, m in greedy.values())
        if margin > LEAST_MARGIN:
            break
    else:
        raise SystemExit(f"{family.name}: no prompts with a clear greedy margin")
    tensors: dict[str, torch.Tensor] = {}
    noise = 0.0
    for key, ids in prompts.items():
        tensors[f"logits/{key}"] = record.logits_of(fresh(), ids)
        wide = logits64(fresh(), torch.tensor([ids]), position_ids=torch.arange(len(ids))[None], use_cache=False)[0]
        noise = max(noise, float((wide - tensors[f"logits/{key}"].double()).abs().max()))
    acts, logits = record.Recorder(fresh(), family.layout, deep, two_layers(model, layers)).run(prompts["long"])
    assert torch.equal(logits, tensors["logits/long"])
    if full:
        tensors.update({f"long/{name}": t for name, t in acts.items()})
    else:
        # Variants differ in positions or masks only: a residual, the pattern of one layer and the logits tell.
        kept = (f"blocks.{deep}.hook_resid_post", "blocks.0.attn.hook_pattern", "ln_final.hook_out")
        tensors.update({f"long/{n}": acts[n] for n in kept})
    a, b = (int(i) for i in logits[-1].topk(2).indices)
    grads = record.gradients(fresh(), family.layout, prompts["long"], a, b, deep)
    tensors.update({f"grad/{n}": t for n, t in grads.items() if full or n == "blocks.0.hook_resid_pre"})
    info: dict[str, Any] = {
        "family": family.name,
        "model_type": model.config.model_type,
        "versions": versions(),
        "prompts": prompts,
        "greedy": {key: ids for key, (ids, _) in greedy.items()},
        "greedy_margin": margin,
        "deep_layer": deep,
        "gradient": {"prompt": "long", "a": a, "b": b, "of": "logits[-1, a] - logits[-1, b]"},
        "logit_std": float(tensors["logits/long"].std()),
        "noise_floor_fp32_vs_fp64": noise,
    }
    steps = record.decode_steps(fresh(), prompts["long"])
    tensors["decode/long"] = steps
    info["decode"] = {
        "prompt": "long",
        "steps": record.DECODE_STEPS,
        "max_abs_vs_full": float((steps - tensors["logits/long"][-record.DECODE_STEPS :]).abs().max()),
    }
    if not family.length_dependent_rope:
        info["batch"] = batches(model, prompts, tensors)
    info["negative_controls"] = controls.measure(fresh(), family, prompts["long"])
    return info, tensors


def batches(model: PreTrainedModel, prompts: dict[str, list[int]], tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    rows, out = list(prompts), {}
    for side in ("left", "right"):
        ids, mask = record.pad_batch([prompts[r] for r in rows], side, 0)
        logits = record.batch_logits(model, ids, mask)
        worst = 0.0
        for i, r in enumerate(rows):
            real = logits[i][mask[i] == 1]
            worst = max(worst, float((real - tensors[f"logits/{r}"]).abs().max()))
        tensors[f"batch/{side}/last"] = torch.stack([logits[i][mask[i] == 1][-1] for i in range(len(rows))])
        out[side] = {
            "rows": rows,
            "input_ids": ids.tolist(),
            "attention_mask": mask.tolist(),
            "position_ids": record.positions_of(mask).tolist(),
            "max_abs_vs_alone": worst,
        }
        assert worst < 2e-5, f"batch {side}: {worst}"
    return out


def legacy_config(family: Family, config_path: Path) -> dict[str, Any] | None:
    """The same model under the configuration keys of transformers 4, as most checkpoints on the Hub spell them."""
    if family.legacy is None:
        return None
    config = json.loads(config_path.read_text())
    config.pop("rope_parameters", None)
    config.pop("transformers_version", None)
    config["torch_dtype"] = config.pop("dtype", "float32")
    heads = config.get("num_attention_heads")
    if "head_dim" in config and config["head_dim"] * heads == config["hidden_size"]:
        del config["head_dim"]
    for key, value in family.legacy.items():
        if value is None and key == "layer_types":
            config.pop(key, None)
        else:
            config[key] = value
    return config


def load_under(config: dict[str, Any], weights: Path) -> PreTrainedModel:
    """The library's own loader on a folder that holds this config beside these weights."""
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "config.json").write_text(json.dumps(config))
        (Path(scratch) / "model.safetensors").symlink_to(weights)
        return load(Path(scratch))


def check_legacy(folder: Path, config: dict[str, Any], ids: list[int], want: torch.Tensor) -> None:
    got = record.logits_of(load_under(config, folder / "model.safetensors"), ids)
    assert torch.equal(got, want), f"{folder.name}: legacy config differs"


def write_family(family: Family) -> None:
    folder = ROOT / family.name
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    build(family).save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    (folder / "generation_config.json").unlink(missing_ok=True)
    info, tensors = golden(family, lambda: load(folder), full=True)
    save_tensors(folder / "golden.safetensors", tensors)
    write_json(folder / "golden.json", info)
    old = legacy_config(family, folder / "config.json")
    if old:
        check_legacy(folder, old, info["prompts"]["long"], tensors["logits/long"])
        write_json(folder / "config.legacy.json", old)
    for variant in family.variants:
        write_variant(folder, variant)
    report(folder, info)


def write_variant(folder: Path, variant: Family) -> None:
    """Another config over the same model.safetensors; the files carry the variant's name."""
    shell = bare(variant.config_class(**variant.config))
    # As save_pretrained does: the config learns the architecture's class name when it is written.
    shell.config.architectures = [type(shell).__name__]
    shell.config.dtype = "float32"
    scratch = folder / f"config.{variant.name}.json"
    scratch.write_text(shell.config.to_json_string())
    config = json.loads(scratch.read_text())

    def fresh() -> PreTrainedModel:
        return load_under(config, folder / "model.safetensors")

    info, tensors = golden(variant, fresh, full=False)
    info["weights"] = "model.safetensors"
    save_tensors(folder / f"golden.{variant.name}.safetensors", tensors)
    write_json(folder / f"golden.{variant.name}.json", info)
    old = legacy_config(variant, scratch)
    if old:
        check_legacy(folder, old, info["prompts"]["long"], tensors["logits/long"])
        write_json(folder / f"config.{variant.name}.legacy.json", old)
    report(folder, info)


def write_storage_variants() -> None:
    """The llama weights as shards and in 16 bits; the golden is the library in float32 on those very files."""
    source = ROOT / "llama"
    prompts = json.loads((source / "golden.json").read_text())["prompts"]
    for name, options in STORAGE.items():
        folder = ROOT / name
        shutil.rmtree(folder, ignore_errors=True)
        model = AutoModelForCausalLM.from_pretrained(source, dtype=options.get("dtype", torch.float32))
        model.save_pretrained(folder, max_shard_size=options.get("max_shard_size", "5GB"))
        (folder / "generation_config.json").unlink(missing_ok=True)
        for file in folder.iterdir():
            file.chmod(0o644)
        back = load(folder)
        save_tensors(folder / "golden.safetensors", {f"logits/{k}": record.logits_of(back, p) for k, p in prompts.items()})
        plain = record.logits_of(load(source), prompts["long"])
        write_json(
            folder / "golden.json",
            {
                "family": "llama",
                "versions": versions(),
                "prompts": prompts,
                "max_abs_vs_fp32_weights": float((record.logits_of(back, prompts["long"]) - plain).abs().max()),
            },
        )
        print(name, sorted((f.name, f.stat().st_size) for f in folder.iterdir()), flush=True)


def report(folder: Path, info: dict[str, Any]) -> None:
    size = sum(f.stat().st_size for f in folder.iterdir())
    bugs = info["negative_controls"]
    least = min(bugs, key=bugs.get) if bugs else "-"
    print(
        f"{info['family']:22s} folder {size / 1024:6.0f} KB  std {info['logit_std']:.2f}  noise {info['noise_floor_fp32_vs_fp64']:.1e}"
        f"  margin {info['greedy_margin']:.1e}  decode {info['decode']['max_abs_vs_full']:.1e}"
        f"  weakest control {least} {bugs.get(least, 0):.1e}",
        flush=True,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    wanted = sys.argv[1:] or [*BY_NAME, "storage"]
    for key in wanted:
        if key == "storage":
            write_storage_variants()
        else:
            write_family(BY_NAME[key])
