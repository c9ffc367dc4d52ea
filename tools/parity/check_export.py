"""Loads a model directory (and optionally a PEFT adapter) in Hugging Face and prints logits as JSON.

Round-trip tests call it when the parity environment is there:

  python check_export.py MODEL_DIR [--adapter ADAPTER_DIR] [--ids '[[1, 2, 3], [4, 5]]']

Without --ids the token rows are read from standard input, as JSON. Rows may have different lengths; each
is run alone, in float32 with eager attention. Output, one JSON object:
  {"model_type", "architecture", "tied", "missing", "unexpected", "mismatched", "logits": [row][position][vocabulary]}
Exit status 1, and the names on standard error, if a tensor was missing, unexpected or of another shape.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--ids")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)

    rows: list[list[int]] = json.loads(args.ids if args.ids is not None else sys.stdin.read())
    model, info = AutoModelForCausalLM.from_pretrained(
        args.model, dtype=torch.float32, attn_implementation="eager", output_loading_info=True, local_files_only=True
    )
    architecture, model_type = type(model).__name__, model.config.model_type
    tied = bool(getattr(model.config, "tie_word_embeddings", False))
    if args.adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, args.adapter)
    model.eval()
    logits = []
    with torch.no_grad():
        for ids in rows:
            positions = torch.arange(len(ids))[None]
            out = model(input_ids=torch.tensor([ids]), position_ids=positions, use_cache=False)
            logits.append(out.logits[0].tolist())
    problems = {
        "missing": sorted(info["missing_keys"]),
        "unexpected": sorted(info["unexpected_keys"]),
        "mismatched": sorted(str(m) for m in info["mismatched_keys"]),
    }
    json.dump({"model_type": model_type, "architecture": architecture, "tied": tied, **problems, "logits": logits}, sys.stdout)
    print()
    if any(problems.values()):
        print(f"tensors do not match the architecture: {problems}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
