"""Builds tiny Hugging Face models and fills them with fan-in-scaled random weights.

The library's default initialisation (std 0.02) makes logits so flat that a wrong GELU or a missing
soft-cap moves them by less than fp32 noise. These scales keep every such bug far above it.
"""

from __future__ import annotations

import math
import zlib

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from families import Family


def seed_of(name: str) -> int:
    return zlib.crc32(f"safeinfer-parity/{name}".encode()) & 0x7FFFFFFF


def fill(model: PreTrainedModel, family: Family, seed: int) -> None:
    """Matrices N(0, (1.5/sqrt(fan_in))^2), gains 1 +- 0.2 (Gemma 0 +- 0.2), biases +- 0.1, embeddings N(0, embedding_std^2)."""
    gen = torch.Generator().manual_seed(seed)
    tables = [model.get_input_embeddings().weight]
    conv1d = {id(m.weight) for m in model.modules() if type(m).__name__ == "Conv1D"}
    norms = {id(m.weight) for m in model.modules() if "Norm" in type(m).__name__ and hasattr(m, "weight")}
    is_table = {id(t) for t in tables} | {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    with torch.no_grad():
        for _, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=gen, dtype=torch.float32)
            if id(p) in norms:
                p.copy_((0.0 if family.gemma_norms else 1.0) + 0.2 * noise)
            elif id(p) in is_table:
                p.copy_(noise * family.embedding_std)
            elif p.ndim == 1:
                p.copy_(0.1 * noise)
            else:
                fan_in = p.shape[0] if id(p) in conv1d else p.shape[1]
                p.copy_(noise * (1.5 / math.sqrt(fan_in)))


def bare(config) -> PreTrainedModel:
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    return model.to(torch.float32).eval()


def build(family: Family, seed: int | None = None) -> PreTrainedModel:
    model = bare(family.config_class(**family.config))
    fill(model, family, seed_of(family.name) if seed is None else seed)
    return model


def with_config(config, weights: PreTrainedModel) -> PreTrainedModel:
    """A fresh model under another config with the given model's weights (same names and shapes)."""
    model = bare(config)
    model.load_state_dict(weights.state_dict(), strict=True)
    return model
