"""A measuring process for PyTorch: `torch_worker.py <float32|bfloat16>`; the protocol is in protocol.ts."""

import json
import math
import os
import resource
import sys
import time

import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

torch.set_num_threads(2)
DTYPE = getattr(torch, sys.argv[1])
torch.manual_seed(0)
matrices = {}
model = None


def config_of(shape):
    if shape == "llama":
        return LlamaForCausalLM, LlamaConfig(
            vocab_size=32000, hidden_size=768, num_hidden_layers=12, num_attention_heads=12,
            num_key_value_heads=12, intermediate_size=2048, max_position_embeddings=2048,
            tie_word_embeddings=False,
        )
    return GPT2LMHeadModel, GPT2Config(vocab_size=50257, n_embd=768, n_layer=12, n_head=12, n_positions=1024)


def tokens_of(rows, count):
    vocabulary = model.config.vocab_size
    return torch.tensor([[(i * 7919 + row * 104729) % vocabulary for i in range(count)] for row in range(rows)])


def median(values):
    return sorted(values)[len(values) // 2]


@torch.no_grad()
def matmul(rows, inner, columns):
    key = (rows, inner, columns)
    if key not in matrices:
        x = torch.sin(torch.arange(rows * inner, dtype=torch.float32)).reshape(rows, inner).to(DTYPE)
        # torch.nn.functional.linear takes [out, in], the layout in which checkpoints store weights.
        w = torch.sin(torch.arange(inner * columns, dtype=torch.float32)).reshape(columns, inner).to(DTYPE)
        matrices[key] = (x, w)
        for _ in range(5):
            torch.nn.functional.linear(x, w)
    x, w = matrices[key]
    times = []
    until = time.perf_counter() + 0.06
    while True:
        start = time.perf_counter()
        torch.nn.functional.linear(x, w)
        now = time.perf_counter()
        times.append(now - start)
        if now > until:
            return 1000 * median(times)


def build(shape):
    global model
    matrices.clear()
    kind, config = config_of(shape)
    model = kind(config).to(DTYPE).eval()
    return 0


@torch.no_grad()
def prefill(rows, tokens):
    ids = tokens_of(rows, tokens)
    start = time.perf_counter()
    model(ids, logits_to_keep=1).logits.float().sum().item()
    return 1000 * (time.perf_counter() - start)


@torch.no_grad()
def cache(rows, tokens, points):
    """Residuals by `output_hidden_states`; all: what every module returns, attention weights included."""
    ids = tokens_of(rows, tokens)
    kept, hooks = [], []
    if points == "all":
        model.set_attn_implementation("eager")
        keep = lambda _module, _inputs, output: kept.append(output)
        hooks = [module.register_forward_hook(keep) for module in model.modules()]
    try:
        start = time.perf_counter()
        out = model(ids, output_hidden_states=True, output_attentions=points == "all")
        out.logits[:, -1].float().sum().item()
        elapsed = 1000 * (time.perf_counter() - start)
    finally:
        for hook in hooks:
            hook.remove()
        if points == "all":
            model.set_attn_implementation("sdpa")
    return elapsed


@torch.no_grad()
def decode(rows, tokens, steps):
    out = model(tokens_of(rows, tokens), use_cache=True, logits_to_keep=1)
    times = []
    picked = out.logits[:, -1].argmax(-1, keepdim=True)
    past = out.past_key_values
    for _ in range(steps):
        start = time.perf_counter()
        out = model(picked, past_key_values=past, use_cache=True)
        past = out.past_key_values
        picked = out.logits[:, -1].argmax(-1, keepdim=True)
        picked.tolist()
        times.append(time.perf_counter() - start)
    return 1000 * median(times)


def train(rows, tokens):
    ids = tokens_of(rows, tokens)
    targets = torch.cat([ids[:, 1:], ids[:, :1]], dim=1)
    start = time.perf_counter()
    logits = model(ids).logits
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]).float(), targets.reshape(-1))
    loss.backward()
    loss.item()
    elapsed = 1000 * (time.perf_counter() - start)
    model.zero_grad(set_to_none=True)
    return elapsed


@torch.no_grad()
def overhead():
    a = torch.ones(8)
    start = time.perf_counter()
    for _ in range(10000):
        torch.add(a, a)
    return 1000 * (time.perf_counter() - start) / 10000


def memory():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


HANDLERS = {
    "matmul": matmul, "model": build, "prefill": prefill, "cache": cache, "decode": decode, "train": train,
    "overhead": overhead, "memory": memory,
}
print(json.dumps({
    "subject": f"torch {sys.argv[1]}",
    "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    "threads": torch.get_num_threads(),
}), flush=True)
for line in sys.stdin:
    command = json.loads(line)
    operation = command.pop("op")
    if operation == "model":
        command = {"shape": command["shape"]}
    try:
        answer = {"value": HANDLERS[operation](**command)}
    except Exception as error:  # reported to the driver, which prints it in the table
        answer = {"value": math.nan, "error": str(error)}
    print(json.dumps(answer).replace("NaN", "null"), flush=True)
