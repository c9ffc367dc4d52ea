"""Records what Hugging Face computes: logits, activations under TransformerLens names, decoding, gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import torch
from transformers import DynamicCache, PreTrainedModel

from families import Layout

DECODE_STEPS = 4
GREEDY_STEPS = 16


def submodule(root: torch.nn.Module, path: str) -> torch.nn.Module:
    return root.get_submodule(path)


def positions_of(mask: torch.Tensor) -> torch.Tensor:
    """Mask-derived positions: cumulative count minus one, padding at 0."""
    return (mask.cumsum(-1) - 1).masked_fill(mask == 0, 0)


def pad_batch(prompts: list[list[int]], side: str, pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, prompts))
    ids, mask = [], []
    for p in prompts:
        fill, zeros = [pad_id] * (width - len(p)), [0] * (width - len(p))
        ids.append(fill + p if side == "left" else p + fill)
        mask.append(zeros + [1] * len(p) if side == "left" else [1] * len(p) + zeros)
    return torch.tensor(ids), torch.tensor(mask)


@dataclass
class Heads:
    count: int
    kv: int
    dim: int


def heads_of(model: PreTrainedModel) -> Heads:
    c = model.config
    h = c.num_attention_heads
    return Heads(h, getattr(c, "num_key_value_heads", None) or h, getattr(c, "head_dim", None) or c.hidden_size // h)


def split_qkv(parts: list[torch.Tensor], layout: Layout, heads: Heads) -> dict[str, torch.Tensor]:
    """[T, heads, head_dim] each, as the projections give them (bias in, before any q/k norm and rotary)."""
    h, kv, e = heads.count, heads.kv, heads.dim
    if layout.qkv_layout == "split":
        q, k, v = parts
    elif layout.qkv_layout == "concat":
        q, k, v = parts[0].split([h * e, kv * e, kv * e], dim=-1)
    else:
        fused = parts[0].reshape(-1, h, 3, e)
        return {"q": fused[:, :, 0], "k": fused[:, :, 1], "v": fused[:, :, 2]}
    return {"q": q.reshape(-1, h, e), "k": k.reshape(-1, kv, e), "v": v.reshape(-1, kv, e)}


class Recorder:
    """Forward hooks of one pass over a single prompt. Every stored tensor lacks the batch dimension."""

    def __init__(self, model: PreTrainedModel, layout: Layout, deep_layer: int, pattern_layers: list[int]):
        self.model, self.layout = model, layout
        self.deep, self.pattern_layers = deep_layer, pattern_layers
        self.out: dict[str, torch.Tensor] = {}
        self.handles: list[Any] = []

    def output(self, module: torch.nn.Module, store: Callable[[torch.Tensor], None]) -> None:
        def hook(_m, _args, result):
            store((result[0] if isinstance(result, tuple) else result)[0].detach().clone())

        self.handles.append(module.register_forward_hook(hook))

    def input(self, module: torch.nn.Module, store: Callable[[torch.Tensor], None]) -> None:
        def hook(_m, args, kwargs):
            tensor = args[0] if args else kwargs["hidden_states"]
            store(tensor[0].detach().clone())

        self.handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def named(self, name: str) -> Callable[[torch.Tensor], None]:
        return lambda t: self.out.__setitem__(name, t)

    def attach(self) -> None:
        lay, model, heads = self.layout, self.model, heads_of(self.model)
        if lay.pos_embed:
            # Elsewhere the embedding is block 0's input.
            self.output(submodule(model, lay.embed), self.named("hook_embed"))
            self.output(submodule(model, lay.pos_embed), self.named("hook_pos_embed"))
        blocks = submodule(model, lay.blocks)
        for i, block in enumerate(blocks):
            at = f"blocks.{i}"
            if i == 0:
                self.input(block, self.named(f"{at}.hook_resid_pre"))
            self.output(block, self.named(f"{at}.hook_resid_post"))
            attn, mlp = submodule(block, lay.attn), submodule(block, lay.mlp)
            if lay.attn_post_norm:
                if i == self.deep:
                    self.output(attn, self.named(f"{at}.hook_attn_out_raw"))
                    self.output(mlp, self.named(f"{at}.hook_mlp_out_raw"))
                self.output(submodule(block, lay.attn_post_norm), self.named(f"{at}.hook_attn_out"))
                self.output(submodule(block, lay.mlp_post_norm), self.named(f"{at}.hook_mlp_out"))
            else:
                self.output(attn, self.named(f"{at}.hook_attn_out"))
                self.output(mlp, self.named(f"{at}.hook_mlp_out"))
            if i == self.deep:
                self.attach_deep(block, at, heads)
        self.output(submodule(model, lay.final_norm), self.named("ln_final.hook_out"))

    def attach_deep(self, block: torch.nn.Module, at: str, heads: Heads) -> None:
        lay = self.layout
        if lay.ln1:
            self.output(submodule(block, lay.ln1), self.named(f"{at}.ln1.hook_out"))
        if lay.ln2:
            self.output(submodule(block, lay.ln2), self.named(f"{at}.ln2.hook_out"))
        parts: list[torch.Tensor] = []

        def collect(t: torch.Tensor) -> None:
            parts.append(t)
            if len(parts) == len(lay.qkv):
                for key, value in split_qkv(parts, lay, heads).items():
                    self.out[f"{at}.attn.hook_{key}"] = value.contiguous()

        for path in lay.qkv:
            self.output(submodule(block, path), collect)
        self.input(
            submodule(block, lay.o_proj),
            lambda t: self.out.__setitem__(f"{at}.attn.hook_z", t.reshape(-1, heads.count, heads.dim)),
        )
        self.input(submodule(block, lay.mlp_out), self.named(f"{at}.mlp.hook_post"))
        if lay.mlp_in:
            self.output(submodule(block, lay.mlp_in), self.named(f"{at}.mlp.hook_pre"))
        if lay.gate and lay.up:
            self.output(submodule(block, lay.gate), self.named(f"{at}.mlp.hook_pre"))
            self.output(submodule(block, lay.up), self.named(f"{at}.mlp.hook_pre_linear"))
        if lay.gate_up:

            def fused(t: torch.Tensor) -> None:
                gate, up = t.chunk(2, dim=-1)
                self.out[f"{at}.mlp.hook_pre"] = gate.contiguous()
                self.out[f"{at}.mlp.hook_pre_linear"] = up.contiguous()

            self.output(submodule(block, lay.gate_up), fused)

    def run(self, ids: list[int]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        self.attach()
        try:
            with torch.no_grad():
                result = self.model(
                    input_ids=torch.tensor([ids]),
                    position_ids=torch.arange(len(ids))[None],
                    output_hidden_states=True,
                    output_attentions=True,
                    use_cache=False,
                )
        finally:
            for handle in self.handles:
                handle.remove()
        self.check(result)
        for i in self.pattern_layers:
            self.out[f"blocks.{i}.attn.hook_pattern"] = result.attentions[i][0].clone()
        return self.out, result.logits[0]

    def check(self, result) -> None:
        """Residual sums of the recorded contributions, and agreement with the library's own hidden states."""
        layers = len(submodule(self.model, self.layout.blocks))
        before = self.out["blocks.0.hook_resid_pre"]
        for i in range(layers):
            after = self.out[f"blocks.{i}.hook_resid_post"]
            total = before + self.out[f"blocks.{i}.hook_attn_out"] + self.out[f"blocks.{i}.hook_mlp_out"]
            assert torch.allclose(total, after, atol=2e-5), f"block {i}: contributions do not sum"
            assert torch.equal(result.hidden_states[i][0], before), f"hidden_states[{i}]"
            before = after
        # The last entry of the library's tuple is taken after the final norm.
        assert torch.equal(result.hidden_states[-1][0], self.out["ln_final.hook_out"])


def logits_of(model: PreTrainedModel, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), position_ids=torch.arange(len(ids))[None], use_cache=False).logits[0]


def batch_logits(model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=mask, position_ids=positions_of(mask), use_cache=False).logits


def greedy(fresh: Callable[[], PreTrainedModel], prompt: list[int]) -> tuple[list[int], float]:
    """Greedy continuation by full forwards (no cache), and the least gap between best and second logit."""
    ids, margin = list(prompt), float("inf")
    for _ in range(GREEDY_STEPS):
        top = logits_of(fresh(), ids)[-1].topk(2)
        margin = min(margin, float(top.values[0] - top.values[1]))
        ids.append(int(top.indices[0]))
    return ids[len(prompt) :], margin


def decode_steps(model: PreTrainedModel, ids: list[int]) -> torch.Tensor:
    """Prefill all but the last DECODE_STEPS tokens, then feed those one by one. [DECODE_STEPS, V]."""
    cache, split, rows = DynamicCache(config=model.config), len(ids) - DECODE_STEPS, []
    with torch.no_grad():
        model(
            input_ids=torch.tensor([ids[:split]]),
            position_ids=torch.arange(split)[None],
            past_key_values=cache,
            use_cache=True,
        )
        for p in range(split, len(ids)):
            out = model(
                input_ids=torch.tensor([[ids[p]]]),
                position_ids=torch.tensor([[p]]),
                past_key_values=cache,
                use_cache=True,
            )
            rows.append(out.logits[0, -1])
    return torch.stack(rows)


def gradients(model: PreTrainedModel, layout: Layout, ids: list[int], a: int, b: int, layer: int) -> dict[str, torch.Tensor]:
    """d(logit[a] - logit[b]) at the last position, with respect to block 0's input and two points of one layer."""
    kept: dict[str, torch.Tensor] = {}
    blocks = submodule(model, layout.blocks)
    heads = heads_of(model)

    def keep(name: str, tensor: torch.Tensor) -> None:
        tensor.retain_grad()
        kept[name] = tensor

    def pre(_m, args, kwargs):
        tensor = args[0] if args else kwargs["hidden_states"]
        leaf = tensor.detach().requires_grad_(True)
        kept["blocks.0.hook_resid_pre"] = leaf
        return ((leaf, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": leaf})

    handles = [
        blocks[0].register_forward_pre_hook(pre, with_kwargs=True),
        blocks[layer].register_forward_hook(
            lambda _m, _a, r: keep(f"blocks.{layer}.hook_resid_post", r[0] if isinstance(r, tuple) else r)
        ),
        submodule(blocks[layer], layout.o_proj).register_forward_pre_hook(
            lambda _m, args: keep(f"blocks.{layer}.attn.hook_z", args[0])
        ),
    ]
    try:
        logits = model(input_ids=torch.tensor([ids]), position_ids=torch.arange(len(ids))[None], use_cache=False).logits
        (logits[0, -1, a] - logits[0, -1, b]).backward()
    finally:
        for handle in handles:
            handle.remove()
    model.zero_grad(set_to_none=True)
    out = {name: t.grad[0].clone() for name, t in kept.items()}
    name = f"blocks.{layer}.attn.hook_z"
    out[name] = out[name].reshape(-1, heads.count, heads.dim)
    return out
