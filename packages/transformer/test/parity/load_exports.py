"""Loads model directories in Hugging Face and prints what was wrong and the logits of given tokens, as JSON.

python load_exports.py < '[{"path": DIR, "ids": [...]}, ...]'; one process, since importing torch takes longer
than any of these models.
"""

import json
import sys
import warnings

import torch
import transformers
from transformers import AutoModelForCausalLM

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
torch.set_num_threads(1)

out = []
for case in json.load(sys.stdin):
    model, info = AutoModelForCausalLM.from_pretrained(
        case["path"], dtype=torch.float32, attn_implementation="eager", output_loading_info=True, local_files_only=True
    )
    with torch.no_grad():
        logits = model.eval()(torch.tensor([case["ids"]]), use_cache=False).logits[0]
    problems = [str(name) for key in ("missing_keys", "unexpected_keys", "mismatched_keys") for name in info[key]]
    out.append({"problems": sorted(problems), "logits": logits.flatten().tolist()})
json.dump(out, sys.stdout)
