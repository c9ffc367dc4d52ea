"""Negative controls: each known porting bug, put into Hugging Face, and how far it moves the logits.

The figure goes into golden.json, so that a test can state that its tolerance would see the bug.
"""

from __future__ import annotations

import copy
import sys
from contextlib import contextmanager
from typing import Any, Callable, Iterator

import torch
from torch import nn
from transformers import PreTrainedModel

from families import WINDOW, Family
from record import heads_of, logits_of, pad_batch, submodule
from weights import with_config

Model = PreTrainedModel


@contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    old = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, old)


def code_of(model: Model):
    return sys.modules[type(model).__module__]


def reconfigured(model: Model, **over: Any) -> Model:
    config = copy.deepcopy(model.config)
    for key, value in over.items():
        setattr(config, key, value)
    return with_config(config, model)


def rope_changed(model: Model, **over: Any) -> Model:
    return reconfigured(model, rope_parameters={**model.config.rope_parameters, **over})


def edited(model: Model, edit: Callable[[Model], None]) -> Model:
    twin = copy.deepcopy(model)
    with torch.no_grad():
        edit(twin)
    return twin


def tiled_kv(states: torch.Tensor, n: int) -> torch.Tensor:
    return states.repeat(1, n, 1, 1)


def pairwise_rotation(q, k, cos, sin, unsqueeze_dim=1, **_):
    """Interleaved pairs in place of halves, over the width that the tables have."""
    cos, sin = cos.unsqueeze(unsqueeze_dim), sin.unsqueeze(unsqueeze_dim)
    width = cos.shape[-1]
    half = width // 2
    c = cos[..., :half].repeat_interleave(2, -1)
    s = sin[..., :half].repeat_interleave(2, -1)

    def rotate(x):
        head, rest = x[..., :width], x[..., width:]
        turned = torch.stack((-head[..., 1::2], head[..., 0::2]), -1).flatten(-2)
        return torch.cat([head * c + turned * s, rest], -1)

    return rotate(q), rotate(k)


def half_rotation_gptj(tensor, sin, cos):
    half = sin.shape[-1]
    s = torch.cat([sin, sin], -1)[:, :, None, :]
    c = torch.cat([cos, cos], -1)[:, :, None, :]
    turned = torch.cat([-tensor[..., half:], tensor[..., :half]], -1)
    return tensor * c + turned * s


def blocks_of(model: Model, family: Family) -> nn.ModuleList:
    return submodule(model, family.layout.blocks)


def unnorm_qk(model: Model, family: Family, names: tuple[str, str]) -> None:
    for block in blocks_of(model, family):
        for name in names:
            setattr(submodule(block, family.layout.attn), name, nn.Identity())


class PerHeadNorm(nn.Module):
    """OLMo-2's full-width q/k norm mistaken for a norm of each head."""

    def __init__(self, norm: nn.Module, dim: int):
        super().__init__()
        self.weight, self.eps, self.dim = norm.weight, norm.variance_epsilon, dim

    def forward(self, x):
        grouped = x.reshape(*x.shape[:-1], -1, self.dim)
        scaled = grouped * torch.rsqrt(grouped.pow(2).mean(-1, keepdim=True) + self.eps)
        return scaled.reshape(x.shape) * self.weight


def per_head_norms(model: Model, family: Family) -> None:
    dim = heads_of(model).dim
    for block in blocks_of(model, family):
        attn = submodule(block, family.layout.attn)
        attn.q_norm, attn.k_norm = PerHeadNorm(attn.q_norm, dim), PerHeadNorm(attn.k_norm, dim)


def qkv_read_by_kind(model: Model, family: Family) -> None:
    """NeoX rows are [head][q,k,v][dim]; this arranges them as a reader of [q,k,v][head][dim] would see them."""
    heads = heads_of(model)
    for block in blocks_of(model, family):
        fused = submodule(block, family.layout.qkv[0])
        for p in (fused.weight, fused.bias):
            tail = p.shape[1:]
            p.copy_(p.reshape(3, heads.count, heads.dim, *tail).transpose(0, 1).reshape(p.shape))


def zero_biases(model: Model, family: Family, names: tuple[str, ...]) -> None:
    for block in blocks_of(model, family):
        for name in names:
            submodule(block, f"{family.layout.attn}.{name}").bias.zero_()


def swap_gate_up(model: Model, family: Family) -> None:
    for block in blocks_of(model, family):
        w = submodule(block, family.layout.gate_up).weight
        gate, up = w.clone().chunk(2, 0)
        w.copy_(torch.cat([up, gate], 0))


def set_scaling(model: Model, family: Family, scaling: float) -> None:
    for block in blocks_of(model, family):
        submodule(block, family.layout.attn).scaling = scaling


def gains_without_one(model: Model) -> None:
    for m in model.modules():
        if "RMSNorm" in type(m).__name__:
            m.weight.sub_(1.0)


def unscaled_embedding(model: Model) -> None:
    model.get_input_embeddings().embed_scale.fill_(1.0)


def arange_under_left_pad(model: Model, ids: list[int]) -> float:
    """Default positions with seven pads on the left, against the prompt alone."""
    padded, mask = pad_batch([ids, [5] * (len(ids) + 7)], "left", 0)
    with torch.no_grad():
        wrong = model(input_ids=padded[:1], attention_mask=mask[:1], use_cache=False).logits[0, 7:]
    return float((wrong - logits_of(model, ids)).abs().max())


def measure(model: Model, family: Family, ids: list[int]) -> dict[str, float]:
    """Largest change of any logit of `ids` for each bug that this family can have."""
    right = logits_of(model, ids)
    lay, c, code = family.layout, model.config, code_of(model)
    heads = heads_of(model)
    found: dict[str, float] = {}

    def note(name: str, wrong_model: Model) -> None:
        found[name] = float((logits_of(wrong_model, ids) - right).abs().max())

    def note_patch(name: str, attribute: str, value: Any) -> None:
        with patched(code, attribute, value):
            found[name] = float((logits_of(model, ids) - right).abs().max())

    gelus = {"gelu_new": "gelu", "gelu": "gelu_new", "gelu_pytorch_tanh": "gelu"}
    for key in ("activation_function", "hidden_activation", "hidden_act"):
        act = getattr(c, key, None)
        if act in gelus:
            note("wrong_gelu", reconfigured(model, **{key: gelus[act]}))
            break
    for key in ("layer_norm_epsilon", "layer_norm_eps", "rms_norm_eps"):
        eps = getattr(c, key, None)
        if eps is not None:
            note("wrong_norm_eps", reconfigured(model, **{key: 1e-5 if eps < 5e-6 else 1e-6}))
            break
    if heads.count != heads.kv and heads.kv > 1:
        note_patch("gqa_tiled", "repeat_kv", tiled_kv)
    rope = getattr(c, "rope_parameters", None)
    if rope and hasattr(code, "apply_rotary_pos_emb"):
        note_patch("rope_interleaved", "apply_rotary_pos_emb", pairwise_rotation)
        if "rope_theta" in rope:
            theta = rope["rope_theta"]
            note("wrong_rope_theta", rope_changed(model, rope_theta=1e4 if theta > 1e4 else 5e5))
        if rope.get("rope_type", "default") != "default":
            plain = {k: rope[k] for k in ("rope_theta", "partial_rotary_factor") if k in rope}
            note("rope_scaling_ignored", reconfigured(model, rope_parameters={"rope_type": "default", **plain}))
        if rope.get("rope_type") == "yarn":
            note("yarn_attention_factor_ignored", rope_changed(model, attention_factor=1.0))
        if rope.get("rope_type") == "longrope":
            note("longrope_short_for_long", rope_changed(model, long_factor=rope["short_factor"]))
            note("longrope_attention_factor_ignored", rope_changed(model, attention_factor=1.0))
    if getattr(c, "sliding_window", None):
        note("window_off_by_one", reconfigured(model, sliding_window=WINDOW + 1))
        note("window_ignored", reconfigured(model, sliding_window=len(ids) + 1))
    name = family.name
    if name == "gpt2":
        note("attention_scale_dropped", reconfigured(model, scale_attn_weights=False))
        found["arange_positions_under_left_pad"] = arange_under_left_pad(model, ids[:16])
    if name.startswith("gpt-neox"):
        note("parallel_flag_flipped", reconfigured(model, use_parallel_residual=not c.use_parallel_residual))
        note("rotary_pct_1", rope_changed(model, partial_rotary_factor=1.0))
        note("qkv_read_by_kind", edited(model, lambda m: qkv_read_by_kind(m, family)))
    if name == "gptj":
        note_patch("rope_half", "apply_rotary_pos_emb", half_rotation_gptj)
        note("lm_head_bias_dropped", edited(model, lambda m: m.lm_head.bias.zero_()))
    if name.startswith("qwen2"):
        note("k_bias_dropped", edited(model, lambda m: zero_biases(m, family, ("k_proj",))))
        note("qkv_biases_dropped", edited(model, lambda m: zero_biases(m, family, ("q_proj", "k_proj", "v_proj"))))
    if name == "qwen2-window":
        note("window_in_all_layers", reconfigured(model, layer_types=["sliding_attention"] * c.num_hidden_layers))
    if name in ("qwen3", "gemma3", "olmo2"):
        note("qk_norm_omitted", edited(model, lambda m: unnorm_qk(m, family, ("q_norm", "k_norm"))))
    if name == "olmo2":
        note("qk_norm_per_head", edited(model, lambda m: per_head_norms(m, family)))
    if name == "phi-qk-layernorm":
        note("qk_norm_omitted", edited(model, lambda m: unnorm_qk(m, family, ("q_layernorm", "k_layernorm"))))
    if name in ("mistral", "qwen3", "gemma"):
        scale = (c.hidden_size / heads.count) ** -0.5
        note("scale_from_width_over_heads", edited(model, lambda m: set_scaling(m, family, scale)))
    if family.gemma_norms:
        note("gain_without_one", edited(model, gains_without_one))
        note("embedding_unscaled", edited(model, unscaled_embedding))
    if name in ("gemma2", "gemma3"):
        note("scale_from_head_dim", edited(model, lambda m: set_scaling(m, family, heads.dim**-0.5)))
    if name == "gemma2":
        note("layer_types_reversed", reconfigured(model, layer_types=list(reversed(c.layer_types))))
        note("attention_cap_removed", reconfigured(model, attn_logit_softcapping=None))
        note("final_cap_removed", reconfigured(model, final_logit_softcapping=None))
    if name == "gemma3":
        shifted = c.layer_types[-1:] + c.layer_types[:-1]
        note("layer_types_shifted", reconfigured(model, layer_types=shifted))
        r = c.rope_parameters
        note("local_theta_everywhere", reconfigured(model, rope_parameters={**r, "full_attention": r["sliding_attention"]}))
        unscaled = {"rope_type": "default", "rope_theta": r["full_attention"]["rope_theta"]}
        note("global_scaling_ignored", reconfigured(model, rope_parameters={**r, "full_attention": unscaled}))
    if name == "phi3":
        note("gate_up_swapped", edited(model, lambda m: swap_gate_up(m, family)))
    if name in ("phi", "phi-qk-layernorm"):
        note("rotary_full_width", rope_changed(model, partial_rotary_factor=1.0))
        note("lm_head_bias_dropped", edited(model, lambda m: m.lm_head.bias.zero_()))
    return {key: round(value, 8) for key, value in found.items()}
