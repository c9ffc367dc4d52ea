"""Writes long-prompts.json: last-token logits of fixtures on prompts far beyond their window and training length.

Run in the environment of tools/parity (tools/parity/setup.sh): python long-prompts.py
"""

import json
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

FIXTURES = Path(__file__).parents[2] / "fixtures"
LENGTH = 600
CASES = [
    ("llama", None),
    ("llama", "rope-yarn"),
    ("llama", "rope-dynamic"),
    ("llama3", None),
    ("mistral", None),
    ("gemma3", None),
    ("gpt-neox", None),
    ("gptj", None),
    ("phi3", "longrope"),
]


def tokens() -> list[int]:
    """A fixed arithmetic sequence, so that the test can make it again."""
    return [3 + (i * i * 7 + i * 13) % 89 for i in range(LENGTH)]


def main() -> None:
    out = {"length": LENGTH, "cases": []}
    for folder, variant in CASES:
        path = FIXTURES / folder
        config = AutoConfig.from_pretrained(path)
        if variant:
            config = type(config).from_pretrained(path / f"config.{variant}.json")
        rows = {}
        for dtype in (torch.float32, torch.float64):
            if folder == "gptj":
                # Its table of sines is made at load time and ends at n_positions.
                config.n_positions = LENGTH
            model = AutoModelForCausalLM.from_pretrained(path, config=config, dtype=dtype, attn_implementation="eager")
            with torch.no_grad():
                rows[dtype] = model.eval()(torch.tensor([tokens()]), use_cache=False).logits[0, -1].double()
        noise = float((rows[torch.float32] - rows[torch.float64]).abs().max())
        print(folder, variant, f"fp32 - fp64: {noise:.1e}")
        out["cases"].append(
            {
                "name": folder if variant is None else f"{folder}:{variant}",
                "logits": [round(x, 7) for x in rows[torch.float32].tolist()],
            }
        )
    Path(__file__).with_name("long-prompts.json").write_text(json.dumps(out))


main()
