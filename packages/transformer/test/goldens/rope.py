"""Writes rope.json: cosines and sines of every rotary scaling as Hugging Face computes them in fp32.

Run in the environment of tools/parity (tools/parity/setup.sh): python rope.py
"""

import json
from pathlib import Path

import torch
import transformers as hf
from transformers.models.gptj.modeling_gptj import create_sinusoidal_positions
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

DIM = 64
SAMPLED = [0, 1, 2, 7, 100, 1023, 1024, 4095, 20000]

CASES = {
    "plain": {"rope_type": "default", "rope_theta": 10000.0},
    "plain-1e6": {"rope_type": "default", "rope_theta": 1000000.0},
    "linear": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 8.0},
    "llama3": {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
    "dynamic": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0},
    "yarn": {
        "rope_type": "yarn",
        "rope_theta": 10000.0,
        "factor": 16.0,
        "original_max_position_embeddings": 2048,
    },
    "yarn-raw": {
        "rope_type": "yarn",
        "rope_theta": 150000.0,
        "factor": 32.0,
        "beta_fast": 24.0,
        "beta_slow": 2.0,
        "attention_factor": 1.25,
        "truncate": False,
        "original_max_position_embeddings": 4096,
    },
    "longrope": {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "original_max_position_embeddings": 4096,
        "short_factor": [1.0 + 0.05 * i for i in range(DIM // 2)],
        "long_factor": [1.0 + 0.9 * i for i in range(DIM // 2)],
    },
}


def rows(table: torch.Tensor) -> list[list[float]]:
    return [[float(x) for x in row] for row in table]


def main() -> None:
    out = {"dim": DIM, "positions": SAMPLED, "cases": []}
    for name, parameters in CASES.items():
        lengths = [512, 20001] if name in ("dynamic", "longrope") else [20001]
        for length in lengths:
            config = hf.LlamaConfig(
                hidden_size=DIM * 2,
                num_attention_heads=2,
                head_dim=DIM,
                max_position_embeddings=32768 if name != "dynamic" else 2048,
                rope_parameters=dict(parameters),
            )
            rope = LlamaRotaryEmbedding(config)
            positions = [p for p in SAMPLED if p < length]
            # The longest position decides the frequencies; it rides along and is dropped again.
            ids = torch.tensor([positions + [length - 1]])
            cos, sin = rope(torch.zeros(1), ids)
            half = DIM // 2
            out["cases"].append(
                {
                    "name": name,
                    "config": {
                        "max_position_embeddings": config.max_position_embeddings,
                        "rope_parameters": parameters,
                    },
                    "sequence_length": length,
                    "cos": rows(cos[0, :-1, :half]),
                    "sin": rows(sin[0, :-1, :half]),
                }
            )
    table = create_sinusoidal_positions(20001, DIM)[SAMPLED]
    out["gptj"] = {"sin": rows(table[:, : DIM // 2]), "cos": rows(table[:, DIM // 2 :])}
    Path(__file__).with_name("rope.json").write_text(json.dumps(out))


main()
