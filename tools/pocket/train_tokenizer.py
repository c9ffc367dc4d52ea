"""Trains the byte-level BPE tokenizer of the bundled model from the text that write-tokenizer-text.ts wrote.

usage: python train_tokenizer.py <tokenizer-text.json> <model dir>

Vocabulary: 6 specials, 256 bytes, then whole words (every fact's subject and object, and the frequent words of the
corpus, each with its leading space), then ordinary BPE merges. `ignore_merges` lets a whole word be one token without
entries for its parts.
"""

import json
import sys
from collections import Counter

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from tokenizers import AddedToken

SPECIALS = ["<|pad|>", "<|bos|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
VOCAB = int(sys.argv[3]) if len(sys.argv) > 3 else 2048
# Words seen this often in 20 000 documents are tokens of their own.
MIN_WORD_COUNT = 25

CHAT_TEMPLATE = (
    "{{ '<|bos|>' }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|> ' + message['content'] | trim + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def main() -> None:
    data = json.load(open(sys.argv[1]))
    out = sys.argv[2]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    words = Counter()
    for text in data["texts"]:
        words.update(w for w, _ in byte_level.pre_tokenize_str(text))
    required = ["".join(w for w, _ in byte_level.pre_tokenize_str(x)) for x in data["wholeWords"]]
    frequent = [w for w, n in sorted(words.items(), key=lambda x: (-x[1], x[0])) if n >= MIN_WORD_COUNT]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {}
    for token in [*SPECIALS, *alphabet, *sorted(set(required)), *frequent]:
        vocab.setdefault(token, len(vocab))
    print("distinct words", len(words), "frequent", len(frequent), "required", len(set(required)), "so far", len(vocab))
    # Merges for all other words: learned on the text with each distinct word counted by its square root, so that rare
    # words, which are the ones that need merges, are not swamped.
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = byte_level
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB, initial_alphabet=alphabet, special_tokens=SPECIALS, show_progress=False
    )
    decode = decoders.ByteLevel()
    spread = [decode.decode([w]) for w, n in sorted(words.items()) for _ in range(max(1, round(n**0.5)))]
    trained.train_from_iterator(spread, trainer)
    merges = []
    for merge in json.loads(trained.to_str())["model"]["merges"]:
        left, right = merge
        new = [t for t in (left, right, left + right) if t not in vocab]
        if len(vocab) + len(new) > VOCAB:
            break
        for token in new:
            vocab[token] = len(vocab)
        merges.append((left, right))
    assert len(vocab) <= VOCAB
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = byte_level
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIALS])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|bos|> $A", pair="<|bos|> $A $B", special_tokens=[("<|bos|>", vocab["<|bos|>"])]
    )
    tokenizer.save(f"{out}/tokenizer.json", pretty=False)
    json.dump(
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<|bos|>",
            "eos_token": "<|end|>",
            "pad_token": "<|pad|>",
            "model_max_length": 512,
            "clean_up_tokenization_spaces": False,
            "add_bos_token": True,
            "chat_template": CHAT_TEMPLATE,
        },
        open(f"{out}/tokenizer_config.json", "w"),
        indent=2,
    )
    lengths = [len(tokenizer.encode(x, add_special_tokens=False).ids) for x in required and data["wholeWords"]]
    print("vocab", tokenizer.get_vocab_size(), "merges", len(merges), "whole words of more than one token", sum(n > 1 for n in lengths))


if __name__ == "__main__":
    main()
