"""PyTorch side of the guided-step benchmark: the reference formula with caches under inference_mode, fp32.

Protocol: one JSON command a line on standard input, one JSON answer a line. Ways to run the unsafe twin:
  plain    no twin: one forward a token
  merged   a second checkpoint and a forward of its own, as in the released SafeInfer code and the reference library
  switched one PEFT model, two forwards: the adapter off for the first and on for the second
  mixed    one PEFT forward over twice the rows, `adapter_names` says which of them have the adapter
"""

import json
import os
import sys
import time

import peft
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
LAMBDA = 0.99
models = {}
clock = time.process_time if os.environ.get("SAFEINFER_BENCH_CLOCK") == "cpu" else time.perf_counter


def build(vocab, width, layers, heads, mlp, rank):
    config = LlamaConfig(
        vocab_size=vocab, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=heads, intermediate_size=mlp, max_position_embeddings=2048, tie_word_embeddings=False,
    )
    for name in ("base", "twin", "wrapped"):
        models[name] = LlamaForCausalLM(config).eval()
    lora = peft.LoraConfig(r=rank, lora_alpha=rank, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    models["wrapped"] = peft.get_peft_model(models["wrapped"], lora, adapter_name="unsafe").eval()
    return {
        "parameters": sum(p.numel() for p in models["base"].parameters()),
        "attention": models["base"].config._attn_implementation,
    }


def formula(safe, unsafe):
    """M - 0.99 * Union(U, M) with the library's normalisation, op by op over the vocabulary."""
    s = torch.log_softmax(safe, -1)
    u = torch.log_softmax(unsafe, -1)
    value = (s - LAMBDA * torch.maximum(u, s)) / (1 - LAMBDA)
    return value - torch.logsumexp(value, -1, keepdim=True)


class Separate:
    """Each term its own forward and cache."""

    def __init__(self, forwards):
        self.forwards = forwards
        self.past = [None for _ in forwards]

    def __call__(self, ids):
        logits = []
        for t, forward in enumerate(self.forwards):
            out = forward(input_ids=ids, past_key_values=self.past[t], use_cache=True, logits_to_keep=1)
            self.past[t] = out.past_key_values
            logits.append(out.logits[:, -1])
        return logits


class Mixed:
    """Both terms as rows of one forward."""

    def __init__(self, model, rows):
        self.model = model
        self.names = ["__base__"] * rows + ["unsafe"] * rows
        self.past = None

    def __call__(self, ids):
        out = self.model(
            input_ids=torch.cat([ids, ids]), past_key_values=self.past, use_cache=True, logits_to_keep=1,
            adapter_names=self.names,
        )
        self.past = out.past_key_values
        return out.logits[:, -1].chunk(2)


def terms_of(way, rows):
    wrapped = models["wrapped"]

    def without(**inputs):
        with wrapped.disable_adapter():
            return wrapped(**inputs)

    if way == "mixed":
        return Mixed(wrapped, rows)
    return Separate({
        "plain": [models["base"]], "merged": [models["base"], models["twin"]], "switched": [without, wrapped],
    }[way])


@torch.inference_mode()
def decode(rows, tokens, steps, way, threads):
    torch.set_num_threads(threads)
    vocab = models["base"].config.vocab_size
    ids = torch.tensor([[(i * 7919 + row * 104729) % vocab for i in range(tokens)] for row in range(rows)])
    forward = terms_of(way, rows)
    logits = forward(ids)
    times = []
    for _ in range(steps):
        start = clock()
        final = formula(*logits) if len(logits) == 2 else logits[0]
        picked = final.argmax(-1, keepdim=True)
        picked.tolist()
        logits = forward(picked)
        times.append(1000 * (clock() - start))
    return {"ms": times}


HANDLERS = {"build": build, "decode": decode}
versions = {m.__name__: m.__version__ for m in (torch, transformers, peft)}
print(json.dumps(versions), flush=True)
for line in sys.stdin:
    command = json.loads(line)
    print(json.dumps(HANDLERS[command.pop("op")](**command)), flush=True)
