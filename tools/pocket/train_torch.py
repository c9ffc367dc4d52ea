"""Trains the bundled model on documents that write-corpus.ts wrote. Seeded, resumable, one command.

usage: python train_torch.py <corpus dir> <run dir> [--steps N] [--model-dir DIR] ...
The loss curve goes to <run dir>/loss.jsonl, checkpoints to <run dir>/checkpoint.pt; running again resumes.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported; each Python thread would else start its own team

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from llama import Config, Llama

SHORT = 64  # rows up to this length form the short micro-batch of each step
SUBJECT_FLAG = 0x80
AVERAGE_DECAY = 0.99  # running mean of the weights over about 100 steps: what a checkpoint before the decay exports


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("corpus")
    p.add_argument("run")
    p.add_argument("--steps", type=int, required=True)
    p.add_argument("--lr", type=float, default=3e-3)
    p.add_argument("--decay-from", type=int, default=0, help="constant rate until here, then linear to 0 at --steps")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--layers", type=int, default=8)
    p.add_argument("--hidden", type=int, default=128)
    p.add_argument("--intermediate", type=int, default=384)
    p.add_argument("--budget", type=int, default=1200, help="tokens per micro-batch, padding included")
    p.add_argument("--low-layers", type=int, default=5)
    p.add_argument("--mask-p", type=float, default=0.7)
    p.add_argument("--model-dir", help="where to write config.json, generation_config.json and model.safetensors")
    p.add_argument("--export-average", action="store_true", help="export the running mean of the weights")
    p.add_argument("--export-only", action="store_true", help="export the checkpoint as it is and train nothing")
    p.add_argument("--write-plan", help="write starting weights, batches and masks here for train.ts, and train on")
    p.add_argument("--checkpoint-seconds", type=float, default=120)
    p.add_argument("--stop-at", type=int, help="stop (with a checkpoint) before this step")
    return p.parse_args()


class Corpus:
    def __init__(self, path: str, longest: int):
        self.tokens = np.fromfile(f"{path}/tokens.u16", np.uint16)
        self.flags = np.fromfile(f"{path}/flags.u8", np.uint8)
        self.offsets = np.fromfile(f"{path}/offsets.u32", np.uint32).astype(np.int64)
        self.lengths = np.diff(self.offsets)
        self.usable = np.flatnonzero(self.lengths <= longest)

    def batches(self, short: bool, budget: int, seed: int) -> list[np.ndarray]:
        """Documents of about one length per batch, in a seeded order; lengths are sorted within windows only."""
        rng = np.random.default_rng([seed, int(short)])
        lengths = self.lengths[self.usable]
        docs = rng.permutation(self.usable[lengths <= SHORT] if short else self.usable[lengths > SHORT])
        out = []
        for start in range(0, len(docs), 1024):
            window = docs[start : start + 1024]
            window = window[np.argsort(self.lengths[window], kind="stable")]
            found, batch = [], []
            for d in window:
                if batch and (len(batch) + 1) * int(self.lengths[d]) > budget:
                    found.append(np.array(batch))
                    batch = []
                batch.append(d)
            if batch:
                found.append(np.array(batch))
            out.extend(found[i] for i in rng.permutation(len(found)))
        return out

    def load(self, docs: np.ndarray):
        width = int(self.lengths[docs].max())
        ids = np.zeros((len(docs), width), np.int64)
        flags = np.zeros((len(docs), width), np.uint8)
        for row, d in enumerate(docs):
            a, b = self.offsets[d], self.offsets[d + 1]
            ids[row, : b - a] = self.tokens[a:b]
            flags[row, : b - a] = self.flags[a:b]
        subject = torch.from_numpy((flags & SUBJECT_FLAG) != 0)
        weight = torch.from_numpy((flags & 0x7F).astype(np.float32) / 100)
        return torch.from_numpy(ids), weight, subject


def low_mask(subject: torch.Tensor) -> torch.Tensor:
    """Causal, and tokens that are not a subject cannot see subject tokens: facts must be recalled at the subject."""
    t = subject.shape[1]
    causal = torch.ones(t, t, dtype=torch.bool).tril()
    allowed = subject[:, :, None] | ~subject[:, None, :]
    return (causal & allowed)[:, None]


def batch_loss(model: Llama, batch, mask_rows: bool, layers: int):
    ids, weight, subject = batch
    mask = low_mask(subject) if mask_rows and bool(subject.any()) else None
    states = model(ids[:, :-1], None if mask is None else mask[:, :, :-1, :-1], layers)
    w = weight[:, 1:].reshape(-1)
    keep = w > 0
    logits = model.logits(states.reshape(-1, states.shape[-1])[keep])
    ce = F.cross_entropy(logits, ids[:, 1:].reshape(-1)[keep], reduction="none")
    return (ce * w[keep]).sum() / w.sum()


def gradients(model: Llama, corpus: Corpus, docs: np.ndarray, mask_rows: bool, layers: int):
    loss = batch_loss(model, corpus.load(docs), mask_rows, layers)
    return loss.item(), torch.autograd.grad(loss, list(model.parameters()))


def save_model(model: Llama, weights: dict, path: str, dtype: torch.dtype = torch.float16) -> None:
    os.makedirs(path, exist_ok=True)
    c = asdict(model.c)
    rope = c.pop("rope_theta")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **c,
        "rope_theta": rope,
        "rope_scaling": None,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "torch_dtype": str(dtype).split(".")[-1],
        "use_cache": True,
    }
    generation = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "do_sample": False, "max_new_tokens": 32}
    for name, value in (("config.json", config), ("generation_config.json", generation)):
        with open(f"{path}/{name}", "w") as f:
            f.write(json.dumps(value, indent=2) + "\n")
    state = {f"model.{k}": v.to(dtype).contiguous() for k, v in weights.items()}
    save_file(state, f"{path}/model.safetensors", metadata={"format": "pt"})


def masks(seed: int, step: int, share: float) -> list[bool]:
    """Which of a step's two micro-batches hide subjects; drawn from the step, so that a resumed run sees the same."""
    return [bool(m) for m in np.random.default_rng([seed, 9, step]).random(2) < share]


def write_plan(path: str, model: Llama, short: list, long: list, a) -> None:
    save_model(model, model.state_dict(), path, torch.float32)
    steps = [
        {
            "batches": [short[step % len(short)].tolist(), long[step % len(long)].tolist()],
            "masked": masks(a.seed, step, a.mask_p),
        }
        for step in range(a.steps)
    ]
    with open(f"{path}/plan.json", "w") as f:
        json.dump({"lowLayers": a.low_layers, "steps": steps}, f)


def main() -> None:
    a = arguments()
    torch.manual_seed(a.seed)
    torch.set_num_threads(1)
    os.makedirs(a.run, exist_ok=True)
    config = Config(
        num_hidden_layers=a.layers,
        hidden_size=a.hidden,
        intermediate_size=a.intermediate,
        head_dim=a.hidden // 8,
    )
    model = Llama(config)
    parameters = list(model.parameters())
    # One single-threaded job per micro-batch: on shared cores this beats threads that meet after every operation.
    pool = ThreadPoolExecutor(2)
    matrices = [p for p in model.parameters() if p.ndim == 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        lr=a.lr,
        betas=(0.9, 0.98),
        eps=1e-8,
    )
    corpus = Corpus(a.corpus, config.max_position_embeddings)
    short = corpus.batches(True, a.budget, a.seed)
    long = corpus.batches(False, a.budget, a.seed)
    if a.write_plan:
        write_plan(a.write_plan, model, short, long, a)
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    step, tokens, seconds = 0, 0, 0.0
    path = f"{a.run}/checkpoint.pt"
    if os.path.exists(path):
        saved = torch.load(path, weights_only=True)
        model.load_state_dict(saved["model"])
        average = saved["average"]
        optimizer.load_state_dict(saved["optimizer"])
        step, tokens, seconds = saved["step"], saved["tokens"], saved["seconds"]
        if a.export_only:
            save_model(model, average if a.export_average else model.state_dict(), a.model_dir)
            print(f"exported step {step}, {tokens} tokens")
            return
        lines = [x for x in open(f"{a.run}/loss.jsonl") if json.loads(x)["step"] <= step]
        open(f"{a.run}/loss.jsonl", "w").writelines(lines)
    print(
        f"parameters {sum(p.numel() for p in model.parameters())}, batches {len(short)} short {len(long)} long, "
        f"mean real tokens {sum(corpus.lengths[b].sum() for b in short[:200]) / 200:.0f} short "
        f"{sum(corpus.lengths[b].sum() for b in long[:200]) / 200:.0f} long, from step {step}",
        flush=True,
    )

    def checkpoint() -> None:
        state = {
            "model": model.state_dict(),
            "average": average,
            "optimizer": optimizer.state_dict(),
            "step": step,
            "tokens": tokens,
            "seconds": seconds,
        }
        torch.save(state, f"{path}.tmp")
        os.replace(f"{path}.tmp", path)

    log = open(f"{a.run}/loss.jsonl", "a")
    last_save = last = time.time()
    sums = [0.0, 0.0, 0]
    end = min(a.steps, a.stop_at or a.steps)
    while step < end:
        decay = min(1.0, (a.steps - step) / (a.steps - a.decay_from))
        rate = a.lr * min((step + 1) / 60, 1) * decay
        for g in optimizer.param_groups:
            g["lr"] = rate
        masked = masks(a.seed, step, a.mask_p)
        parts = [batches[step % len(batches)] for batches in (short, long)]
        jobs = [pool.submit(gradients, model, corpus, docs, m, a.low_layers) for docs, m in zip(parts, masked)]
        results = [job.result() for job in jobs]
        for kind, (loss, _) in enumerate(results):
            if not np.isfinite(loss):
                raise SystemExit(f"loss is {loss} at step {step}, documents {parts[kind].tolist()}")
            sums[kind] += loss
            tokens += int(corpus.lengths[parts[kind]].sum())
        for p, g0, g1 in zip(parameters, results[0][1], results[1][1]):
            p.grad = (g0 + g1) / 2
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        keep = min(AVERAGE_DECAY, step / (step + 10))
        state = model.state_dict()
        torch._foreach_lerp_(list(average.values()), list(state.values()), 1 - keep)
        sums[2] += 1
        now = time.time()
        seconds += now - last
        last = now
        if step % 50 == 0 or step == end:
            line = {
                "step": step,
                "tokens": tokens,
                "seconds": round(seconds),
                "lr": round(rate, 6),
                "short": round(sums[0] / sums[2], 4),
                "long": round(sums[1] / sums[2], 4),
            }
            log.write(json.dumps(line) + "\n")
            log.flush()
            print(line, f"{tokens / seconds:.0f} tokens/s", flush=True)
            sums = [0.0, 0.0, 0]
        if now - last_save > a.checkpoint_seconds:
            checkpoint()
            last_save = now
    if a.model_dir and step == end:
        save_model(model, average if a.export_average else model.state_dict(), a.model_dir)
    else:
        checkpoint()


if __name__ == "__main__":
    main()
