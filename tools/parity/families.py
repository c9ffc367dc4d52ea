"""The tiny models: one entry a family, with its config and where its activations live.

Sizes are chosen so that a family stays near 200 KB while every gotcha still shows: two or more
key/value heads with two or more query heads each (tiled against repeated GQA differ), d_ff != d_model,
a head_dim that is not d_model / heads where the family allows it, and a window of 8 against prompts of 22.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import transformers as hf

VOCAB = 96
WINDOW = 8
# The library defaults (1e-6 and 1e-5) move logits by less than the tolerance in these families when a port
# hard-codes the wrong one; a larger value makes that bug visible.
VISIBLE_RMS_EPS = 3e-5
VISIBLE_LAYER_NORM_EPS = 1e-4
IDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


@dataclass(frozen=True)
class Layout:
    """Module paths inside one Hugging Face architecture. Block paths are relative to the block."""

    blocks: str
    final_norm: str
    attn: str
    mlp: str
    o_proj: str
    mlp_out: str
    mlp_in: str | None = None
    gate: str | None = None
    up: str | None = None
    gate_up: str | None = None
    qkv: tuple[str, ...] = ()
    qkv_layout: str = "split"  # split | concat (q|k|v columns) | per_head (head-major q,k,v)
    ln1: str | None = None
    ln2: str | None = None
    attn_post_norm: str | None = None
    mlp_post_norm: str | None = None
    parallel: bool = False
    embed: str = "model.embed_tokens"
    pos_embed: str | None = None


LLAMA = Layout(
    blocks="model.layers",
    final_norm="model.norm",
    attn="self_attn",
    mlp="mlp",
    o_proj="self_attn.o_proj",
    mlp_out="mlp.down_proj",
    gate="mlp.gate_proj",
    up="mlp.up_proj",
    qkv=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ln1="input_layernorm",
    ln2="post_attention_layernorm",
)
GPT2 = Layout(
    blocks="transformer.h",
    final_norm="transformer.ln_f",
    attn="attn",
    mlp="mlp",
    o_proj="attn.c_proj",
    mlp_out="mlp.c_proj",
    mlp_in="mlp.c_fc",
    qkv=("attn.c_attn",),
    qkv_layout="concat",
    ln1="ln_1",
    ln2="ln_2",
    embed="transformer.wte",
    pos_embed="transformer.wpe",
)
NEOX_PARALLEL = Layout(
    blocks="gpt_neox.layers",
    final_norm="gpt_neox.final_layer_norm",
    attn="attention",
    mlp="mlp",
    o_proj="attention.dense",
    mlp_out="mlp.dense_4h_to_h",
    mlp_in="mlp.dense_h_to_4h",
    qkv=("attention.query_key_value",),
    qkv_layout="per_head",
    ln1="input_layernorm",
    ln2="post_attention_layernorm",
    parallel=True,
    embed="gpt_neox.embed_in",
)
NEOX_SEQUENTIAL = Layout(**{**NEOX_PARALLEL.__dict__, "parallel": False})
GPTJ = Layout(
    blocks="transformer.h",
    final_norm="transformer.ln_f",
    attn="attn",
    mlp="mlp",
    o_proj="attn.out_proj",
    mlp_out="mlp.fc_out",
    mlp_in="mlp.fc_in",
    qkv=("attn.q_proj", "attn.k_proj", "attn.v_proj"),
    ln1="ln_1",
    parallel=True,
    embed="transformer.wte",
)
SANDWICH = Layout(
    **{
        **LLAMA.__dict__,
        "ln2": "pre_feedforward_layernorm",
        "attn_post_norm": "post_attention_layernorm",
        "mlp_post_norm": "post_feedforward_layernorm",
    }
)
OLMO2 = Layout(
    **{
        **LLAMA.__dict__,
        "ln1": None,
        "ln2": None,
        "attn_post_norm": "post_attention_layernorm",
        "mlp_post_norm": "post_feedforward_layernorm",
    }
)
PHI = Layout(
    blocks="model.layers",
    final_norm="model.final_layernorm",
    attn="self_attn",
    mlp="mlp",
    o_proj="self_attn.dense",
    mlp_out="mlp.fc2",
    mlp_in="mlp.fc1",
    qkv=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ln1="input_layernorm",
    parallel=True,
)
PHI3 = Layout(
    blocks="model.layers",
    final_norm="model.norm",
    attn="self_attn",
    mlp="mlp",
    o_proj="self_attn.o_proj",
    mlp_out="mlp.down_proj",
    gate_up="mlp.gate_up_proj",
    qkv=("self_attn.qkv_proj",),
    qkv_layout="concat",
    ln1="input_layernorm",
    ln2="post_attention_layernorm",
)


@dataclass(frozen=True)
class Family:
    """One fixture folder. `variants` reuse the weights under another config."""

    name: str
    config_class: type
    config: dict[str, Any]
    layout: Layout
    gemma_norms: bool = False
    # Tied heads multiply by the embedding: at std 1 their logits would reach 20 and the fp32 noise 4e-5.
    embedding_std: float = 1.0
    # Frequencies depend on the longest position of the whole batch (dynamic NTK, longrope), so rows
    # of a batch do not equal the rows alone in Hugging Face: such fixtures record single prompts only.
    length_dependent_rope: bool = False
    legacy: dict[str, Any] | None = None
    variants: tuple["Family", ...] = field(default_factory=tuple)


def llama_config(**over: Any) -> dict[str, Any]:
    return {
        "vocab_size": VOCAB,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "rms_norm_eps": 1e-6,
        **IDS,
        **over,
    }


def rope_variant(name: str, rope: dict[str, Any], length_dependent: bool = False) -> Family:
    legacy_scaling = {("type" if k == "rope_type" else k): v for k, v in rope.items() if k != "rope_theta"}
    return Family(
        name,
        hf.LlamaConfig,
        llama_config(rope_parameters={"rope_theta": 10000.0, **rope}),
        LLAMA,
        length_dependent_rope=length_dependent,
        legacy={"rope_theta": 10000.0, "rope_scaling": legacy_scaling},
    )


FAMILIES: tuple[Family, ...] = (
    Family(
        "gpt2",
        hf.GPT2Config,
        {
            "vocab_size": VOCAB,
            "n_positions": 64,
            "n_embd": 32,
            "n_layer": 4,
            "n_head": 4,
            "resid_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "attn_pdrop": 0.0,
            **IDS,
        },
        GPT2,
        variants=(
            Family(
                "inverse-layer-scale",
                hf.GPT2Config,
                {
                    "vocab_size": VOCAB,
                    "n_positions": 64,
                    "n_embd": 32,
                    "n_layer": 4,
                    "n_head": 4,
                    "resid_pdrop": 0.0,
                    "embd_pdrop": 0.0,
                    "attn_pdrop": 0.0,
                    "scale_attn_by_inverse_layer_idx": True,
                    **IDS,
                },
                GPT2,
            ),
        ),
    ),
    Family(
        "llama",
        hf.LlamaConfig,
        llama_config(rope_parameters={"rope_type": "default", "rope_theta": 10000.0}),
        LLAMA,
        legacy={"rope_theta": 10000.0, "rope_scaling": None},
        variants=(
            rope_variant("rope-linear", {"rope_type": "linear", "factor": 4.0}),
            rope_variant(
                "rope-yarn",
                {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16},
            ),
            # `max_position_embeddings` is 64 in the shared config; the variant lowers it below the prompts.
            Family(
                "rope-dynamic",
                hf.LlamaConfig,
                llama_config(
                    max_position_embeddings=16,
                    rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0},
                ),
                LLAMA,
                length_dependent_rope=True,
                legacy={"rope_theta": 10000.0, "rope_scaling": {"type": "dynamic", "factor": 2.0}},
            ),
        ),
    ),
    Family(
        "llama3",
        hf.LlamaConfig,
        # Wavelengths 6.3, 167, 4443, 1.2e5 against bounds 64 and 256: kept, interpolated and divided all occur.
        llama_config(
            num_hidden_layers=3,
            intermediate_size=48,
            max_position_embeddings=2048,
            rms_norm_eps=1e-5,
            rope_parameters={
                "rope_type": "llama3",
                "rope_theta": 500000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 256,
            },
        ),
        LLAMA,
        legacy={
            "rope_theta": 500000.0,
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 256,
            },
        },
    ),
    Family(
        "smollm",
        hf.LlamaConfig,
        llama_config(
            num_hidden_layers=3,
            intermediate_size=48,
            rms_norm_eps=1e-5,
            tie_word_embeddings=True,
            rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        ),
        LLAMA,
        embedding_std=0.3,
        legacy={"rope_theta": 100000.0, "rope_scaling": None},
    ),
    Family(
        "mistral",
        hf.MistralConfig,
        llama_config(
            num_hidden_layers=3,
            intermediate_size=48,
            head_dim=12,
            sliding_window=WINDOW,
            rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        ),
        LLAMA,
        legacy={"rope_theta": 10000.0},
    ),
    Family(
        "qwen2",
        hf.Qwen2Config,
        llama_config(num_hidden_layers=3, intermediate_size=48, rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}),
        LLAMA,
        legacy={"rope_theta": 1000000.0},
        variants=(
            # The Hub's spelling for "no window": the fields are there but switched off.
            Family(
                "window-off",
                hf.Qwen2Config,
                llama_config(
                    num_hidden_layers=3,
                    intermediate_size=48,
                    use_sliding_window=False,
                    sliding_window=WINDOW,
                    max_window_layers=1,
                    rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
                ),
                LLAMA,
            ),
        ),
    ),
    Family(
        "qwen2-window",
        hf.Qwen2Config,
        llama_config(
            num_hidden_layers=3,
            intermediate_size=48,
            tie_word_embeddings=True,
            use_sliding_window=True,
            sliding_window=WINDOW,
            max_window_layers=1,
            rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
        ),
        LLAMA,
        embedding_std=0.3,
        legacy={"rope_theta": 1000000.0, "layer_types": None},
    ),
    Family(
        "qwen3",
        hf.Qwen3Config,
        llama_config(
            num_hidden_layers=3,
            intermediate_size=48,
            head_dim=16,
            rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
        ),
        LLAMA,
        legacy={"rope_theta": 1000000.0},
    ),
    Family(
        "gemma",
        hf.GemmaConfig,
        llama_config(
            rms_norm_eps=VISIBLE_RMS_EPS,
            num_hidden_layers=3,
            intermediate_size=48,
            head_dim=16,
            num_key_value_heads=1,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        ),
        LLAMA,
        gemma_norms=True,
        embedding_std=0.3,
        legacy={"rope_theta": 10000.0, "hidden_act": "gelu"},
    ),
    Family(
        "gemma2",
        hf.Gemma2Config,
        llama_config(
            rms_norm_eps=VISIBLE_RMS_EPS,
            num_hidden_layers=4,
            intermediate_size=48,
            head_dim=12,
            query_pre_attn_scalar=24,
            sliding_window=WINDOW,
            attn_logit_softcapping=50.0,
            final_logit_softcapping=30.0,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        ),
        SANDWICH,
        gemma_norms=True,
        embedding_std=0.3,
        legacy={"rope_theta": 10000.0, "layer_types": None},
    ),
    Family(
        "gemma3",
        hf.Gemma3TextConfig,
        llama_config(
            rms_norm_eps=VISIBLE_RMS_EPS,
            num_hidden_layers=7,
            intermediate_size=40,
            head_dim=12,
            query_pre_attn_scalar=20,
            sliding_window=WINDOW,
            rope_parameters={
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            },
        ),
        SANDWICH,
        gemma_norms=True,
        embedding_std=0.3,
        legacy={
            "rope_theta": 1000000.0,
            "rope_local_base_freq": 10000.0,
            "rope_scaling": {"rope_type": "linear", "factor": 8.0},
            "sliding_window_pattern": 6,
            "layer_types": None,
        },
    ),
    Family(
        "gpt-neox",
        hf.GPTNeoXConfig,
        {
            "vocab_size": VOCAB,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "max_position_embeddings": 64,
            "layer_norm_eps": VISIBLE_LAYER_NORM_EPS,
            "use_parallel_residual": True,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.25},
            **IDS,
        },
        NEOX_PARALLEL,
        legacy={"rotary_emb_base": 10000, "rotary_pct": 0.25},
    ),
    Family(
        "gpt-neox-sequential",
        hf.GPTNeoXConfig,
        {
            "vocab_size": VOCAB,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 64,
            "layer_norm_eps": VISIBLE_LAYER_NORM_EPS,
            "use_parallel_residual": False,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
            **IDS,
        },
        NEOX_SEQUENTIAL,
        legacy={"rotary_emb_base": 10000, "rotary_pct": 0.5},
    ),
    Family(
        "gptj",
        hf.GPTJConfig,
        {
            "vocab_size": VOCAB,
            "n_positions": 64,
            "n_embd": 32,
            "n_inner": 48,
            "n_layer": 3,
            "n_head": 2,
            "layer_norm_epsilon": VISIBLE_LAYER_NORM_EPS,
            "rotary_dim": 8,
            "tie_word_embeddings": False,
            **IDS,
        },
        GPTJ,
    ),
    Family(
        "phi",
        hf.PhiConfig,
        {
            "layer_norm_eps": VISIBLE_LAYER_NORM_EPS,
            "vocab_size": VOCAB,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "max_position_embeddings": 64,
            # 16 * 0.4 = 6.4: the rotary width is its integer part, 6.
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.4},
            **IDS,
        },
        PHI,
        legacy={"rope_theta": 10000.0, "partial_rotary_factor": 0.4},
    ),
    Family(
        "phi-qk-layernorm",
        hf.PhiConfig,
        {
            "layer_norm_eps": VISIBLE_LAYER_NORM_EPS,
            "vocab_size": VOCAB,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 64,
            "qk_layernorm": True,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
            **IDS,
        },
        PHI,
        legacy={"rope_theta": 10000.0, "partial_rotary_factor": 0.5},
    ),
    Family(
        "phi3",
        hf.Phi3Config,
        llama_config(
            num_hidden_layers=3,
            intermediate_size=48,
            sliding_window=WINDOW,
            rms_norm_eps=1e-5,
            original_max_position_embeddings=64,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 1.0},
        ),
        PHI3,
        legacy={"rope_theta": 10000.0, "rope_scaling": None},
        variants=(
            Family(
                "longrope",
                hf.Phi3Config,
                llama_config(
                    num_hidden_layers=3,
                    intermediate_size=48,
                    rms_norm_eps=1e-5,
                    original_max_position_embeddings=16,
                    rope_parameters={
                        "rope_type": "longrope",
                        "rope_theta": 10000.0,
                        "partial_rotary_factor": 1.0,
                        "original_max_position_embeddings": 16,
                        "short_factor": [1.0, 1.1, 1.3, 1.6],
                        "long_factor": [1.5, 2.5, 4.0, 7.0],
                    },
                ),
                PHI3,
                length_dependent_rope=True,
                legacy={
                    "rope_theta": 10000.0,
                    "original_max_position_embeddings": 16,
                    "rope_scaling": {
                        "type": "longrope",
                        "short_factor": [1.0, 1.1, 1.3, 1.6],
                        "long_factor": [1.5, 2.5, 4.0, 7.0],
                    },
                },
            ),
        ),
    ),
    Family(
        "olmo2",
        hf.Olmo2Config,
        llama_config(
            num_hidden_layers=3,
            intermediate_size=48,
            rms_norm_eps=VISIBLE_RMS_EPS,
            rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
        ),
        OLMO2,
        legacy={"rope_theta": 500000.0},
    ),
)

BY_NAME = {f.name: f for f in FAMILIES}
