"""PyTorch side of the guided-step benchmark: the reference formula over two models, one forward each a token.

Protocol: one JSON command a line on standard input, one JSON answer a line. Both models have the same shape and dtype
float32; the unsafe twin is a second checkpoint, as in the released SafeInfer code.
"""

import json
import os
import sys
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
torch.manual_seed(0)
LAMBDA = 0.99
models = []
clock = time.process_time if os.environ.get("SAFEINFER_BENCH_CLOCK") == "cpu" else time.perf_counter


def build(vocab, width, layers, heads, mlp):
    config = LlamaConfig(
        vocab_size=vocab, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=heads, intermediate_size=mlp, max_position_embeddings=2048, tie_word_embeddings=False,
    )
    models[:] = [LlamaForCausalLM(config).eval() for _ in range(2)]
    return {"parameters": sum(p.numel() for p in models[0].parameters())}


def formula(safe, unsafe):
    """M - 0.99 * Union(U, M) with the library's normalisation, op by op over the vocabulary."""
    s = torch.log_softmax(safe.float(), -1)
    u = torch.log_softmax(unsafe.float(), -1)
    value = (s - LAMBDA * torch.maximum(u, s)) / (1 - LAMBDA)
    return value - torch.logsumexp(value, -1, keepdim=True)


@torch.no_grad()
def decode(rows, tokens, steps, terms):
    ids = torch.tensor([[(i * 7919 + row * 104729) % models[0].config.vocab_size for i in range(tokens)] for row in range(rows)])
    outs = [m(ids, use_cache=True, logits_to_keep=1) for m in models[:terms]]
    past = [o.past_key_values for o in outs]
    logits = [o.logits[:, -1] for o in outs]
    times = []
    for _ in range(steps):
        start = clock()
        final = formula(*logits) if terms == 2 else logits[0]
        picked = final.argmax(-1, keepdim=True)
        picked.tolist()
        for t in range(terms):
            out = models[t](picked, past_key_values=past[t], use_cache=True)
            past[t] = out.past_key_values
            logits[t] = out.logits[:, -1]
        times.append(1000 * (clock() - start))
    return {"ms": times}


HANDLERS = {"build": build, "decode": decode}
print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
for line in sys.stdin:
    command = json.loads(line)
    print(json.dumps(HANDLERS[command.pop("op")](**command)), flush=True)
