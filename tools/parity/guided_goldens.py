"""Goldens of the guided sampler: logits processors of transformers, and formulas recomputed with numpy.

Usage: python guided_goldens.py  (writes ../../packages/guided-sampler/fixtures/)
"""
import json
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers.generation import logits_process as lp

OUT = Path(__file__).resolve().parents[2] / "packages" / "guided-sampler" / "fixtures"
VOCAB = 48
NEG = -1e30  # JSON has no -Infinity: removed tokens are written as this number


def numbers(array):
    values = np.asarray(array, dtype=np.float64)
    return [NEG if v == -np.inf else float(v) for v in values]


def log_softmax(x):
    x = np.asarray(x, dtype=np.float64)
    m = x[np.isfinite(x)].max()
    return x - (m + np.log(np.exp(x - m)[np.isfinite(x)].sum()))


def softmax(x):
    return np.exp(log_softmax(x))


def processor_cases(rng):
    history = [3, 7, 7, 9, 3, 7, 1, 12, 3, 7]
    prompt_length = 6
    eos = 2
    ids = torch.tensor([history])
    cases = [
        ("repetition", {"repetitionPenalty": 1.3}, [lp.RepetitionPenaltyLogitsProcessor(1.3)]),
        ("ngram3", {"noRepeatNgram": 3}, [lp.NoRepeatNGramLogitsProcessor(3)]),
        ("ngram1", {"noRepeatNgram": 1}, [lp.NoRepeatNGramLogitsProcessor(1)]),
        ("badWords", {"badWords": [[5], [3, 7, 11], [9, 3, 8]]},
         [lp.NoBadWordsLogitsProcessor([[5], [3, 7, 11], [9, 3, 8]], eos_token_id=eos)]),
        ("sequenceBias", {"sequenceBias": [{"tokens": [4], "bias": 2.5}, {"tokens": [3, 7, 20], "bias": -4},
                                           {"tokens": [1, 7, 21], "bias": 9}]},
         [lp.SequenceBiasLogitsProcessor({(4,): 2.5, (3, 7, 20): -4.0, (1, 7, 21): 9.0})]),
        ("minNewTokens", {"minNewTokens": 5},
         [lp.MinNewTokensLengthLogitsProcessor(prompt_length, 5, eos, device="cpu")]),
        ("suppress", {"suppressTokens": [0, 13]}, [lp.SuppressTokensLogitsProcessor([0, 13])]),
        ("temperature", {"temperature": 0.7}, [lp.TemperatureLogitsWarper(0.7)]),
        ("topK", {"temperature": 1, "topK": 5}, [lp.TopKLogitsWarper(5)]),
        ("topP", {"temperature": 1, "topP": 0.8}, [lp.TopPLogitsWarper(0.8)]),
        ("minP", {"temperature": 1, "minP": 0.05}, [lp.MinPLogitsWarper(0.05)]),
        ("typical", {"temperature": 1, "typicalP": 0.7}, [lp.TypicalLogitsWarper(0.7)]),
        ("epsilon", {"temperature": 1, "epsilonCutoff": 0.02}, [lp.EpsilonLogitsWarper(0.02)]),
        ("eta", {"temperature": 1, "etaCutoff": 0.05}, [lp.EtaLogitsWarper(0.05, device="cpu")]),
        ("all", {"repetitionPenalty": 1.2, "noRepeatNgram": 3, "badWords": [[5]], "minNewTokens": 5,
                 "suppressTokens": [13], "temperature": 0.8, "topK": 20, "topP": 0.9, "minP": 0.02,
                 "typicalP": 0.95},
         [lp.RepetitionPenaltyLogitsProcessor(1.2), lp.NoRepeatNGramLogitsProcessor(3),
          lp.NoBadWordsLogitsProcessor([[5]], eos_token_id=eos),
          lp.MinNewTokensLengthLogitsProcessor(prompt_length, 5, eos, device="cpu"),
          lp.SuppressTokensLogitsProcessor([13]), lp.TemperatureLogitsWarper(0.8), lp.TopKLogitsWarper(20),
          lp.TopPLogitsWarper(0.9), lp.MinPLogitsWarper(0.02), lp.TypicalLogitsWarper(0.95)]),
    ]
    out = []
    for name, options, processors in cases:
        for draw in range(3):
            # Values exact in fp32 so that both sides start from the same bits; ties included.
            logits = np.round(rng.normal(0, 2.5, VOCAB) * 64) / 64
            scores = torch.tensor(logits[None], dtype=torch.float32)
            chain = lp.LogitsProcessorList(processors)
            with torch.no_grad():
                result = chain(ids, scores.clone())[0].numpy()
            out.append({"name": f"{name}-{draw}", "options": options, "logits": logits.tolist(),
                        "history": history, "promptLength": prompt_length, "eos": eos,
                        "expected": numbers(result)})
    return out


def llama_chain(logits, history, o):
    """llama.cpp's order, written from its description with sorting: penalties over the last 64 tokens, top-k,
    typical, top-p, min-p, temperature; every truncation renormalises over what is left."""
    s = np.array(logits, dtype=np.float64)
    window = history[-64:]
    for token in sorted(set(window)):
        count = window.count(token)
        s[token] = s[token] * o["repetitionPenalty"] if s[token] <= 0 else s[token] / o["repetitionPenalty"]
        s[token] -= count * o["frequencyPenalty"] + o["presencePenalty"]
    alive = sorted(range(len(s)), key=lambda i: (-s[i], i))[: o["topK"]]

    def probabilities(ids):
        e = np.exp(np.array([s[i] for i in ids]) - max(s[i] for i in ids))
        return e / e.sum()

    p = probabilities(alive)
    entropy = -(p * np.log(p)).sum()
    order = sorted(range(len(alive)), key=lambda j: (abs(-np.log(p[j]) - entropy), alive[j]))
    kept, mass = [], 0.0
    for j in order:
        kept.append(alive[j])
        mass += p[j]
        if mass > o["typicalP"]:
            break
    alive = sorted(kept, key=lambda i: (-s[i], i))
    p = probabilities(alive)
    last = int(np.searchsorted(np.cumsum(p), o["topP"])) + 1
    alive = alive[:last]
    p = probabilities(alive)
    alive = [i for i, q in zip(alive, p) if q >= o["minP"] * p.max()]
    out = np.full(len(s), -np.inf)
    for i in alive:
        out[i] = s[i] / o["temperature"]
    return out


def llama_cases(rng):
    options = {"repetitionPenalty": 1.1, "presencePenalty": 0.2, "frequencyPenalty": 0.3, "topK": 25,
               "typicalP": 0.9, "topP": 0.85, "minP": 0.03, "temperature": 0.6, "order": "llama.cpp"}
    out = []
    for draw in range(6):
        logits = np.round(rng.normal(0, 2.5, VOCAB) * 64) / 64
        history = rng.integers(0, VOCAB, 90).tolist()
        out.append({"name": f"llama-{draw}", "options": options, "logits": logits.tolist(), "history": history,
                    "promptLength": 40, "eos": 2, "expected": numbers(llama_chain(logits, history, options))})
    return out


def recipe_cases(rng):
    """Final distributions of the recipes, from their published formulas, in float64."""
    out = []
    for draw in range(4):
        a, b, c = (np.round(rng.normal(0, 3, VOCAB) * 64) / 64 for _ in range(3))
        la, lb = log_softmax(a), log_softmax(b)
        pa = np.exp(la)
        case = {"a": a.tolist(), "b": b.tolist(), "c": c.tolist(), "expected": {}}
        expected = case["expected"]
        for lam in (0.0, 0.5, 0.9, 0.99):
            z = (la - lam * np.maximum(lb, la)) / (1 - lam)
            expected[f"safeInfer {lam:g}"] = numbers(log_softmax(z))
        # SafeDecoding: smallest k with >= 5 common tokens, alpha 3, floor 1e-8.
        k = 5
        while True:
            shared = set(np.argsort(-a, kind="stable")[:k]) & set(np.argsort(-b, kind="stable")[:k])
            if len(shared) >= 5:
                break
            k += 1
        p = np.maximum(pa + 3 * (np.exp(lb) - pa), 1e-8)
        z = np.full(VOCAB, -np.inf)
        z[list(shared)] = np.log(p[list(shared)])
        expected["safeDecoding"] = numbers(log_softmax(z))
        expected["selfCd"] = numbers(log_softmax(a - 2.5 * (a - b)))
        expected["rose"] = numbers(log_softmax(a - 0.5 * b))
        order = np.argsort(-a, kind="stable")
        before = np.cumsum(pa[order]) - pa[order]
        nucleus = order[before < 0.9]
        z = np.full(VOCAB, -np.inf)
        z[nucleus] = (a + 2.0 * (b - c))[nucleus]
        expected["dexperts"] = numbers(log_softmax(z))
        expected["proxyTuning"] = numbers(log_softmax(a + b - c))
        z = la - 1.0 * log_softmax(b / 0.5)
        z[pa < 0.1 * pa.max()] = -np.inf
        expected["contrastive"] = numbers(log_softmax(z))
        expected["contextAware"] = numbers(log_softmax(1.5 * a - 0.5 * b))
        expected["classifierFree"] = numbers(log_softmax(lb + 1.5 * (la - lb)))
        out.append(case)
    return out


class Penalised:
    """SafeInfer as a logits processor: the twin is the same model with a prefix after BOS, recomputed in full."""

    def __init__(self, model, prefix, lam):
        self.model, self.prefix, self.beta = model, torch.tensor(prefix), lam / (1 - lam)

    def __call__(self, input_ids, scores):
        prefix = self.prefix.expand(len(input_ids), -1)
        rows = torch.cat([input_ids[:, :1], prefix, input_ids[:, 1:]], dim=1)
        s = torch.log_softmax(scores.double(), -1)
        u = torch.log_softmax(self.model(rows).logits[:, -1].double(), -1)
        return torch.log_softmax(s - self.beta * torch.relu(u - s), -1).float()


def beam_cases():
    """Hugging Face's own beam search on the tiny Llama of the transformer package's fixtures."""
    model = transformers.AutoModelForCausalLM.from_pretrained(OUT.parents[1] / "transformer" / "fixtures" / "llama")
    model.eval()
    prefix = [7, 19, 3]
    out = []
    for prompt in ([1, 5, 9], [1, 40, 41, 42, 8]):
        for beams, length_penalty, early in ((4, 1.0, False), (4, 2.0, "never"), (3, 0.5, True), (5, 0.0, False)):
            for lam in (0.0, 0.8):
                # Many ends, so that hypotheses finish at different lengths.
                ends = [2, 11, 23, 37, 51, 64, 70, 88]
                with torch.no_grad():
                    made = model.generate(
                        torch.tensor([prompt]), do_sample=False, num_beams=beams, num_return_sequences=beams,
                        max_new_tokens=9, length_penalty=length_penalty, early_stopping=early, eos_token_id=ends,
                        pad_token_id=0, output_scores=True, return_dict_in_generate=True,
                        logits_processor=[Penalised(model, prefix, lam)] if lam > 0 else [],
                    )
                hypotheses = []
                for row, score in zip(made.sequences.tolist(), made.sequences_scores.tolist()):
                    tokens = row[len(prompt):]
                    end = next((i for i, token in enumerate(tokens) if token in ends), len(tokens) - 1)
                    hypotheses.append({"tokens": tokens[: end + 1], "score": score})
                out.append({"prompt": prompt, "prefix": prefix, "lambda": lam, "beams": beams, "stopTokens": ends,
                            "lengthPenalty": length_penalty, "earlyStopping": early, "maxNewTokens": 9,
                            "hypotheses": hypotheses})
    return out


def main():
    rng = np.random.default_rng(20240612)
    OUT.mkdir(parents=True, exist_ok=True)
    meta = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0], "removed": NEG}
    (OUT / "processors.json").write_text(
        json.dumps({**meta, "hf": processor_cases(rng), "llama": llama_cases(rng)}) + "\n")
    (OUT / "recipes.json").write_text(json.dumps({**meta, "cases": recipe_cases(rng)}) + "\n")
    (OUT / "beam-search.json").write_text(json.dumps({**meta, "cases": beam_cases()}) + "\n")


if __name__ == "__main__":
    main()
