"""Pocket in PyTorch: Hugging Face's own Llama, run in two parts so that what lies below an edited block is computed once."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from precision import Float64

MODEL = Path(__file__).resolve().parents[3] / "packages/pocket/model"


class Pocket:
    def __init__(self, dtype: torch.dtype):
        self.dtype = dtype
        self.tokenizer = AutoTokenizer.from_pretrained(MODEL)
        self.lm = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).to(dtype).eval()
        self.lm.requires_grad_(False)
        self.blocks = self.lm.model.layers
        self.kept = [b.mlp.down_proj.weight.data.clone() for b in self.blocks]

    def reset(self) -> None:
        for block, weight in zip(self.blocks, self.kept):
            block.mlp.down_proj.weight.data = weight.clone()

    def weight(self, layer: int) -> torch.Tensor:
        return self.blocks[layer].mlp.down_proj.weight.data

    def add(self, layer: int, change: torch.Tensor) -> None:
        """`change` is [d_in, d_out], W += change; the sum is rounded once."""
        w = self.blocks[layer].mlp.down_proj.weight
        w.data = (w.data.double() + change.T).to(self.dtype)

    def precise(self):
        return Float64() if self.dtype == torch.float64 else nullcontext()

    def ids(self, text: str) -> list[int]:
        return self.tokenizer(text)["input_ids"]

    def target(self, text: str) -> list[int]:
        return self.tokenizer(f" {text}", add_special_tokens=False)["input_ids"]

    def chat(self, question: str) -> list[int]:
        text = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], add_generation_prompt=True, tokenize=False
        )
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def embed(self, rows: list[list[int]]) -> torch.Tensor:
        """[rows, width, d]; filled on the right, which no earlier position can see."""
        width = max(map(len, rows))
        ids = torch.tensor([r + [0] * (width - len(r)) for r in rows])
        return self.lm.model.embed_tokens(ids)

    def through(self, hidden: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        """Blocks start .. stop - 1."""
        with self.precise():
            positions = torch.arange(hidden.shape[1])[None]
            rotary = self.lm.model.rotary_emb(hidden, positions)
            for block in self.blocks[start:stop]:
                out = block(hidden, attention_mask=None, position_ids=positions, position_embeddings=rotary)
                hidden = out[0] if isinstance(out, tuple) else out
            return hidden

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        with self.precise():
            return self.lm.lm_head(self.lm.model.norm(hidden))

    def states(self, rows: list[list[int]], stop: int) -> torch.Tensor:
        with torch.no_grad():
            return self.through(self.embed(rows), 0, stop)

    def keys(self, rows: list[list[int]], layer: int) -> torch.Tensor:
        """Input of the down projection at every position: [rows, width, d_ff]."""
        got: list[torch.Tensor] = []
        hook = self.blocks[layer].mlp.down_proj.register_forward_pre_hook(lambda _m, a: got.append(a[0]))
        try:
            self.states(rows, layer + 1)
        finally:
            hook.remove()
        return got[0]

    def hits(self, items: list[tuple[list[int], list[int]]]) -> list[bool]:
        """Whether every target token is the argmax behind its prompt (greedy decoding would give it)."""
        order = sorted(range(len(items)), key=lambda i: len(items[i][0]) + len(items[i][1]))
        out = [False] * len(items)
        for start in range(0, len(order), 64):
            part = order[start : start + 64]
            rows = [items[i][0] + items[i][1][:-1] for i in part]
            hidden = self.states(rows, len(self.blocks))
            for r, i in enumerate(part):
                prompt, target = items[i]
                at = torch.arange(len(prompt) - 1, len(prompt) - 1 + len(target))
                with torch.no_grad():
                    out[i] = self.logits(hidden[r, at]).argmax(-1).tolist() == target
        return out

    def moment(self, rows: list[list[int]], layer: int) -> torch.Tensor:
        """E[k kT] over all tokens, float64."""
        total = torch.zeros(self.lm.config.intermediate_size, self.lm.config.intermediate_size, dtype=torch.float64)
        count = 0
        order = sorted(rows, key=len)
        for start in range(0, len(order), 64):
            part = order[start : start + 64]
            got = self.keys(part, layer)
            k = torch.cat([got[i, : len(r)] for i, r in enumerate(part)]).double()
            total += k.T @ k
            count += len(k)
        return total / count
