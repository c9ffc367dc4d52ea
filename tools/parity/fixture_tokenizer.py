"""A tokenizer for the tiny models (vocabulary 96), so that goldens can be stated as text too.

One printable character is one token: id 3 + i is CHARACTERS[i]; white space separates and vanishes.
Braces are left out of the vocabulary because prompts mark their hole with them.
"""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, processors

SPECIAL = ["<pad>", "<s>", "</s>"]
CHARACTERS = [chr(c) for c in range(33, 127) if chr(c) not in "{}"] + ["§"]


def make(bos: bool) -> Tokenizer:
    vocab = {t: i for i, t in enumerate([*SPECIAL, *CHARACTERS])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(SPECIAL)
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def save(folder: Path, bos: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    make(bos).save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": bos,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 64,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def text_of(ids: list[int]) -> str:
    return " ".join(CHARACTERS[i - len(SPECIAL)] for i in ids)
