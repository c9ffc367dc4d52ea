"""A measuring process for TransformerLens: `lens_worker.py <tokenizer directory>`; the protocol is in protocol.ts.

TransformerLens boots models from a directory with a tokenizer; the tokenizer is not used for anything.
"""

import json
import math
import sys
import tempfile
import time
from importlib.metadata import version

import torch
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoTokenizer

TOKENIZER = sys.argv[1]
torch.set_num_threads(2)
torch.manual_seed(0)
bridge = None


def llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(
        vocab_size=32000, hidden_size=768, num_hidden_layers=12, num_attention_heads=12,
        num_key_value_heads=12, intermediate_size=2048, max_position_embeddings=2048,
        tie_word_embeddings=False,
    ))


def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(vocab_size=50257, n_embd=768, n_layer=12, n_head=12, n_positions=1024))


def build(shape):
    global bridge
    with tempfile.TemporaryDirectory() as directory:
        (llama() if shape == "llama" else gpt2()).eval().save_pretrained(directory)
        AutoTokenizer.from_pretrained(TOKENIZER).save_pretrained(directory)
        bridge = TransformerBridge.boot_transformers(directory, device="cpu")
    return 0


def tokens_of(rows, count):
    return torch.tensor([[(i * 7919 + row * 104729) % 32000 for i in range(count)] for row in range(rows)])


@torch.no_grad()
def prefill(rows, tokens):
    start = time.perf_counter()
    bridge(tokens_of(rows, tokens))[:, -1].sum().item()
    return 1000 * (time.perf_counter() - start)


@torch.no_grad()
def cache(rows, tokens, points):
    residual = lambda name: name.endswith(("hook_resid_pre", "hook_resid_mid", "hook_resid_post"))
    chosen = {"names_filter": residual} if points == "residuals" else {}
    start = time.perf_counter()
    logits, _ = bridge.run_with_cache(tokens_of(rows, tokens), **chosen)
    logits[:, -1].sum().item()
    return 1000 * (time.perf_counter() - start)


HANDLERS = {"model": build, "prefill": prefill, "cache": cache}
print(json.dumps({
    "subject": "TransformerLens",
    "versions": {"transformer-lens": version("transformer-lens"), "torch": torch.__version__},
    "threads": torch.get_num_threads(),
}), flush=True)
for line in sys.stdin:
    command = json.loads(line)
    handler = HANDLERS.get(command.pop("op"))
    try:
        answer = {"value": handler(**command)} if handler else {"value": math.nan, "error": "not measured"}
    except Exception as error:  # reported to the driver, which prints it in the table
        answer = {"value": math.nan, "error": str(error)}
    print(json.dumps(answer).replace("NaN", "null"), flush=True)
