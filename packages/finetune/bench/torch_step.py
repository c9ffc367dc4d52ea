"""PyTorch's side of throughput.ts: one full training step of the pocket architecture for each line on standard input.

A line is the JSON list of micro-batches of a step, each a list of {"tokens": [...], "weights": [...]}.
Answers with {"wall": s, "cpu": s, "loss": x}.
"""

import json
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools" / "pocket"))
from llama import Config, Llama  # noqa: E402

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
model = Llama(Config())
matrices = [p for p in model.parameters() if p.ndim == 2]
vectors = [p for p in model.parameters() if p.ndim < 2]
optimizer = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}], lr=1e-3
)
print(json.dumps({"torch": torch.__version__, "parameters": sum(p.numel() for p in model.parameters())}), flush=True)


def pad(rows, key, dtype):
    width = max(len(r[key]) for r in rows)
    return torch.tensor([r[key] + [0] * (width - len(r[key])) for r in rows], dtype=dtype)


for line in sys.stdin:
    step = json.loads(line)
    wall, cpu = time.perf_counter(), time.process_time()
    total = sum(sum(r["weights"][1:]) for rows in step for r in rows)
    optimizer.zero_grad()
    value = 0.0
    for rows in step:
        ids, weights = pad(rows, "tokens", torch.long), pad(rows, "weights", torch.float32)
        states = model(ids[:, :-1])
        w = weights[:, 1:].reshape(-1)
        keep = w > 0
        logits = model.logits(states.reshape(-1, states.shape[-1])[keep])
        ce = F.cross_entropy(logits, ids[:, 1:].reshape(-1)[keep], reduction="none")
        loss = (ce * w[keep]).sum() / total
        loss.backward()
        value += loss.item()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    out = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "loss": value}
    print(json.dumps(out), flush=True)
