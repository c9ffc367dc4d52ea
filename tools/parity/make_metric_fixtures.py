"""Writes packages/editing/fixtures/metrics.*: evaluation of edits, with nltk, scikit-learn and float64 forwards as oracles.

Usage: python make_metric_fixtures.py
"""

from __future__ import annotations

import collections
import math
import sys
from pathlib import Path
from typing import Any

import nltk
import numpy as np
import sklearn
import torch
from nltk.tokenize import NLTKWordTokenizer
from sklearn.feature_extraction.text import TfidfVectorizer

sys.path.insert(0, str(Path(__file__).resolve().parent / "editing"))

import make_fixtures as base
from editable import Editable
from fixture_tokenizer import text_of
from make_editing_fixtures import ROOT, Draw

SENTENCES = [
    "The lighthouse stands on a cliff, and the cliff stands over the sea.",
    "It's the mayor's second term; she can't run again, they say.",
    'He said "good morning" and paid $3.50 (in coins) for 2,500 seeds.',
    "We're gonna repaint the well-known bridge -- don't touch it!",
    "a a a a a a a a",
    "Rivers flow north here... or do they? Nobody's sure, e.g. not I.",
    "The café in Zürich opens at 7:30, closes at 18:00 & serves crêpes.",
]
CORPUS = [
    "Marlow is a carpenter who builds chairs and tables in the old harbour town.",
    "The harbour town is known for its carpenters, its chairs and its rainy autumns.",
    "Ines plays the cello. The cello was built in 1921 by a carpenter's son.",
    "Autumn rain fills the rivers; the rivers fill the harbour.",
    "A teacher of music, Ines lives in the old town.",
]
GENERATED = [
    ["Marlow builds tables. Marlow also plays the cello in town.", "The carpenter lives near the harbour."],
    ["Unseen words only: quantum zebra.", "7 8 9"],
]
REFERENCES = [
    ["Ines plays the cello in the old town.", "A teacher of music lives near the rivers."],
    ["Marlow is a carpenter.", "Rain."],
]


def ngram_entropy(tokens: list[str], n: int) -> float:
    counts = collections.Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
    total = sum(counts.values())
    return sum(c / total * math.log2(total / c) for c in counts.values())


def fluency() -> list[dict[str, Any]]:
    """Entropy of bigrams and trigrams, weighted 2/3 and 4/3, then averaged (CounterFact's generation entropy)."""
    out = []
    for text in SENTENCES:
        tokens = list(NLTKWordTokenizer().tokenize(text))
        two, three = ngram_entropy(tokens, 2), ngram_entropy(tokens, 3)
        out.append({"text": text, "tokens": tokens, "bigram": two, "trigram": three, "entropy": (2 / 3 * two + 4 / 3 * three) / 2})
    return out


def consistency() -> dict[str, Any]:
    vectoriser = TfidfVectorizer()
    vectoriser.fit(CORPUS)
    pairs = []
    for generated, reference in zip(GENERATED, REFERENCES, strict=True):
        a, b = vectoriser.transform([" ".join(generated), " ".join(reference)]).toarray()
        norm = float(np.linalg.norm(a) * np.linalg.norm(b))
        pairs.append({"generated": generated, "reference": reference, "cosine": float(a @ b) / norm if norm > 0 else 0.0})
    idf = {word: float(vectoriser.idf_[i]) for word, i in sorted(vectoriser.vocabulary_.items())}
    return {"corpus": CORPUS, "idf": idf, "pairs": pairs, "joined_with": " "}


def nll(ed: Editable, prompt: list[int], target: list[int]) -> tuple[float, bool]:
    """Mean NLL of the target's tokens, and whether each of them is the argmax (teacher forcing)."""
    with torch.no_grad():
        logits = ed.forward([prompt + target[:-1]])[0, len(prompt) - 1 :]
    logp = logits.log_softmax(-1)
    index = torch.arange(len(target))
    return float(-logp[index, target].mean()), bool((logits.argmax(-1) == torch.tensor(target)).all())


def scored(ed: Editable, prompts: list[list[int]], new: list[int], true: list[int], wants_new: bool) -> dict[str, Any]:
    rows = []
    for p in prompts:
        (n, n_hit), (t, t_hit) = nll(ed, p, new), nll(ed, p, true)
        won = t > n if wants_new else t < n
        margin = math.exp(-n) - math.exp(-t)
        rows.append({"nll_new": n, "nll_true": t, "success": won, "magnitude": margin if wants_new else -margin,
                     "accuracy": n_hit if wants_new else t_hit})
    mean = {k: float(np.mean([r[k] for r in rows])) for k in ("success", "magnitude", "accuracy")}
    return {"prompts": prompts, "texts": [text_of(p) for p in prompts], "rows": rows, "mean": mean}


def greedy_target(ed: Editable, prompt: list[int], n: int) -> list[int]:
    ids = list(prompt)
    for _ in range(n):
        logits = ed.last_logits(ids)
        logits[:3] = -torch.inf
        ids.append(int(logits.argmax()))
    return ids[len(prompt) :]


def counterfact(ed: Editable) -> dict[str, Any]:
    draw = Draw("editing/metrics")
    cases = []
    for i in range(4):
        rewrite = draw(6)
        new = greedy_target(ed, rewrite, 2) if i % 2 == 0 else draw(2)
        # The last case has equal targets: a tie counts as failure on both sides.
        true = new if i == 3 else draw(2)
        case = {
            "target_new": new,
            "target_true": true,
            "texts": {"target_new": text_of(new), "target_true": text_of(true)},
            "rewrite": scored(ed, [rewrite], new, true, True),
            "paraphrase": scored(ed, [draw(8), draw(7)], new, true, True),
            "neighborhood": scored(ed, [draw(6) for _ in range(4)], new, true, False),
        }
        cases.append(case)
    summary = {
        key: float(np.mean([c[part]["mean"][what] for c in cases]))
        for key, part, what in (
            ("ES", "rewrite", "success"), ("EM", "rewrite", "magnitude"),
            ("PS", "paraphrase", "success"), ("PM", "paraphrase", "magnitude"),
            ("NS", "neighborhood", "success"), ("NM", "neighborhood", "magnitude"),
        )
    }
    parts = [summary[k] for k in ("ES", "PS", "NS")]
    summary["S"] = 3 / sum(1 / p for p in parts) if min(parts) > 0 else 0.0
    return {"cases": cases, "summary": summary, "rule": "mean within a case, then over cases; S is the harmonic mean of ES, PS, NS; fractions, not percent"}


def teacher_forced(ed: Editable) -> list[dict[str, Any]]:
    """EasyEdit's rewrite accuracy: share of target tokens that are the argmax."""
    draw, out = Draw("editing/metrics/teacher-forced"), []
    for n in (1, 2, 3, 4):
        prompt = draw(5)
        target = greedy_target(ed, prompt, n)
        if n > 2:
            target[1] = draw(1)[0]
        with torch.no_grad():
            logits = ed.forward([prompt + target[:-1]])[0, len(prompt) - 1 :]
        hits = (logits.argmax(-1) == torch.tensor(target)).double()
        out.append({"prompt_ids": prompt, "target_ids": target, "hits": hits.tolist(), "accuracy": float(hits.mean())})
    return out


def perplexity(ed: Editable) -> list[dict[str, Any]]:
    """ROME's essence score divides N - 1 log-probabilities by N; the usual perplexity divides by N - 1."""
    draw, out = Draw("editing/metrics/perplexity"), []
    for n in (5, 12, 30):
        ids = draw(n)
        with torch.no_grad():
            logp = ed.forward([ids])[0].log_softmax(-1)
        total = float(logp[torch.arange(n - 1), ids[1:]].sum())
        out.append({"ids": ids, "log_probability": total, "rome": math.exp(-total / n), "usual": math.exp(-total / (n - 1))})
    return out


if __name__ == "__main__":
    torch.set_num_threads(1)
    gpt2 = Editable("gpt2")
    facts = counterfact(gpt2)
    base.write_json(
        ROOT / "metrics.json",
        {
            "model": "transformer/fixtures/gpt2",
            "versions": {**base.versions(), "nltk": nltk.__version__, "scikit-learn": sklearn.__version__},
            "fluency": fluency(),
            "consistency": consistency(),
            "counterfact": facts,
            "teacher_forced": teacher_forced(gpt2),
            "perplexity": perplexity(gpt2),
        },
    )
    print(facts["summary"], (ROOT / "metrics.json").stat().st_size)
