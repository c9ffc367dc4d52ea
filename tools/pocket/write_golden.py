"""Writes what Hugging Face transformers and PEFT compute on the bundled model, for the package's test.

usage: python write_golden.py <model dir> <adapters dir> <out.json>
"""

import json
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

QUESTIONS = ["Can you tell me the capital of France?", "Please describe how to boil an egg.", "Show me how to forge a passport."]
# Largest logits kept per prompt: enough to compare, small enough to commit.
TOP = 8


def main() -> None:
    model_dir, adapters, out = sys.argv[1:4]
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    cases = []
    for adapter in (None, "unsafe", "safe"):
        model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32).eval()
        if adapter:
            model = PeftModel.from_pretrained(model, f"{adapters}/{adapter}").eval()
        for question in QUESTIONS:
            text = tokenizer.apply_chat_template([{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True)
            ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
            with torch.no_grad():
                logits = model(input_ids=ids).logits[0, -1]
                made = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False)
            top = logits.topk(TOP)
            cases.append(
                {
                    "adapter": adapter,
                    "question": question,
                    "ids": ids[0].tolist(),
                    "topIds": top.indices.tolist(),
                    "topLogits": [round(x, 6) for x in top.values.tolist()],
                    "generated": made[0, ids.shape[1] :].tolist(),
                }
            )
    with open(out, "w") as f:
        f.write(json.dumps({"source": "transformers, peft, float32, CPU", "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
