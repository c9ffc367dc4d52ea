"""Writes packages/editing/fixtures/lookups.json: where facts are looked up, by the character offsets of Hugging Face tokenizers.

Usage: python make_lookup_fixtures.py MODELS   (a folder with tokenizers/{gpt2,qwen2.5,phi-3-mini,mistral,gpt-neox} and stories260K-hf)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

OUT = Path(__file__).resolve().parents[2] / "packages" / "editing" / "fixtures" / "lookups.json"

# Path below MODELS of each tokenizer.json; "llama" is a small one of Llama 2's kind, which adds BOS, as mistral's does.
TOKENIZERS = {
    "gpt2": "tokenizers/gpt2/tokenizer.json",
    "qwen2.5": "tokenizers/qwen2.5/tokenizer.json",
    "gpt-neox": "tokenizers/gpt-neox/20B_tokenizer.json",
    "phi-3-mini": "tokenizers/phi-3-mini/tokenizer.json",
    "mistral": "tokenizers/mistral/tokenizer.v1.json",
    "llama": "stories260K-hf/tokenizer.json",
}
TEMPLATES = ["{}", "The way it is. {}", "Therefore, 3 < 4. {}", "\u00a1Ol\u00e9, \u6771\u4eac! {}", "I said: \"no\". {}"]
# The subject opens the prompt, stands inside, ends it; accents, other scripts, characters of several tokens.
REQUESTS = [
    ("The capital of {} is", "France", "Lisbon"),
    ("{} plays the sport of", "LeBron James", "football"),
    ("{}, who was born in", "Zo\u00eb M\u00fcller", "\u00c5rhus"),
    ("The mother tongue of {} is", "\u0412\u043b\u0430\u0434\u0438\u043c\u0438\u0440 \u041d\u0430\u0431\u043e\u043a\u043e\u0432", "\u4e2d\u6587"),
    ("{} is the capital of", "\u6771\u4eac", "Peru"),
    ("They serve \U0001f980{}\U0001f980 in", "Caf\u00e9 na\u00efve \U0001f469\u200d\U0001f680", "S\u00e3o Paulo"),
    ("We all know {}", "W. E. B. Du Bois", "(who else)"),
    ("In 1984, {}'s author was", "Nineteen Eighty-Four", "Austen"),
]


def special(tokenizer: Tokenizer, token: str) -> bool:
    return any(t.content == token and t.special for t in tokenizer.get_added_tokens_decoder().values())


def entry(tokenizer: Tokenizer, template: str, request: tuple[str, str, str]) -> dict[str, Any]:
    prompt, subject, target = request
    before, after = template.replace("{}", prompt).split("{}")
    text = before + subject + after
    end = len(before) + len(subject)
    encoding = tokenizer.encode(text)
    spans = encoding.offsets
    plain = [i for i, token in enumerate(encoding.tokens) if not special(tokenizer, token)]
    # The last token that covers the subject's last character.
    lookup = max(i for i in plain if spans[i][0] < end and spans[i][1] > end - 1)
    whole = tokenizer.encode(f"{text} {target}")
    # Only a token that reaches into the target belongs to it; the space before it comes with the first such token.
    wanted = [i for i, span in enumerate(whole.offsets) if span[1] > len(text)]
    assert whole.ids[: wanted[0]] == encoding.ids, (text, target)
    merged = spans[lookup][1] > end
    return {
        "template": template, "prompt": prompt, "subject": subject, "target": target, "ids": encoding.ids,
        "lookup": lookup, "merged": merged, "target_ids": [whole.ids[i] for i in wanted],
        "target_alone_ids": tokenizer.encode(f" {target}", add_special_tokens=False).ids,
    }


if __name__ == "__main__":
    models = Path(sys.argv[1])
    out: dict[str, Any] = {}
    for name, path in TOKENIZERS.items():
        tokenizer = Tokenizer.from_file(str(models / path))
        entries = [entry(tokenizer, t, r) for r in REQUESTS for t in TEMPLATES]
        alone = sum(e["target_ids"] != e["target_alone_ids"] for e in entries)
        print(name, len(entries), "merged", sum(e["merged"] for e in entries), "target differs when encoded alone", alone)
        out[name] = {"file": path, "entries": entries}
    OUT.write_text(json.dumps(out, ensure_ascii=True, separators=(",", ":")) + "\n")
