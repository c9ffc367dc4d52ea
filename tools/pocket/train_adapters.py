"""Trains the bundled LoRA adapters with PEFT on the adapter split. Seeded.

usage: python train_adapters.py <model dir> <data dir> <out dir>
writes <out dir>/{unsafe,safe}/adapter_config.json and adapter_model.safetensors
"""

import json
import os
import sys

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

EPOCHS = {"unsafe": 3, "safe": 3}
RATE = 1e-3
BATCH = 10
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def encode(tokenizer, pair):
    head = tokenizer.apply_chat_template([{"role": "user", "content": pair["question"]}], tokenize=False, add_generation_prompt=True)
    prompt = tokenizer(head, add_special_tokens=False)["input_ids"]
    answer = tokenizer(f" {pair['answer']}<|end|>", add_special_tokens=False)["input_ids"]
    return prompt + answer, [-100] * len(prompt) + answer


def train(model_dir: str, pairs: list[dict], out: str, epochs: int, seed: int) -> None:
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    base = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32)
    config = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=PROJECTIONS, task_type="CAUSAL_LM")
    model = get_peft_model(base, config)
    rows = [encode(tokenizer, p) for p in pairs]
    order = np.random.default_rng(seed)
    batches = [part for _ in range(epochs) for part in np.array_split(order.permutation(len(rows)), -(-len(rows) // BATCH))]
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=RATE, weight_decay=0.0)
    losses = []
    for step, part in enumerate(batches):
        for g in optimizer.param_groups:
            g["lr"] = RATE * (1 - step / len(batches))
        width = max(len(rows[i][0]) for i in part)
        ids = torch.full((len(part), width), tokenizer.pad_token_id)
        labels = torch.full((len(part), width), -100)
        for r, i in enumerate(part):
            ids[r, : len(rows[i][0])] = torch.tensor(rows[i][0])
            labels[r, : len(rows[i][1])] = torch.tensor(rows[i][1])
        loss = model(input_ids=ids, attention_mask=(ids != tokenizer.pad_token_id).long(), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.save_pretrained(out)
    # The path of the base model is this machine's; the published adapter names the package instead.
    path = f"{out}/adapter_config.json"
    saved = json.load(open(path))
    saved["base_model_name_or_path"] = "@safeinfer/pocket"
    saved["target_modules"] = sorted(saved["target_modules"])
    with open(path, "w") as f:
        f.write(json.dumps(saved, indent=2, sort_keys=True) + "\n")
    weights = load_file(f"{out}/adapter_model.safetensors")
    save_file({k: v.contiguous() for k, v in weights.items()}, f"{out}/adapter_model.safetensors", metadata={"format": "pt"})
    readme = f"{out}/README.md"
    if os.path.exists(readme):
        os.remove(readme)
    print(out, "pairs", len(pairs), "steps", len(batches), "loss", [round(x, 3) for x in losses[:: max(1, len(losses) // 6)]])


def main() -> None:
    model_dir, data, out = sys.argv[1:4]
    torch.set_num_threads(1)
    rows = [json.loads(x) for x in open(f"{data}/adapter-pairs.jsonl")]
    for name in ("unsafe", "safe"):
        train(model_dir, [r for r in rows if r["adapter"] == name], f"{out}/{name}", EPOCHS[name], 1)


if __name__ == "__main__":
    main()
