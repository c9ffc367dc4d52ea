"""Edits one after the other on pocket in PyTorch, with the figures that packages/editing/bench/pocket-sequence.ts prints.

usage: pocket-inputs.ts --out inputs.json, then
       python sequence.py inputs.json --method alphaEdit|memit|fineTune --layers 4,5 --token last [...] [--batch 20] [--float64]
Only templates, facts, texts and the tokens that C is measured on are shared; tokenisation, values, keys, solves and scores
are written again here on Hugging Face's Llama.
"""

from __future__ import annotations

import argparse
import json

import torch

from editors import Editor, Settings, fine_tune, rows_of
from pocket import Pocket


class Scores:
    def __init__(self, p: Pocket, data: dict, facts: list[dict]):
        self.p, self.facts = p, facts
        edited = {f["id"] for f in facts}
        self.subjects = {f["subject"] for f in facts}
        self.others = [q for q in data["factQuestions"] if q["factId"] not in edited]
        self.how_to = len(data["howTo"])
        self.harmless = [(p.chat(q["question"]), p.target(q["answer"])) for q in [*data["howTo"], *self.others]]

    def right(self) -> list[bool]:
        return self.p.hits(self.harmless)

    def edits(self, facts: list[dict]) -> dict[str, list[bool]]:
        p = self.p

        def fill(text: str, subject: str) -> list[int]:
            return p.ids(text.replace("{}", subject))

        parts = {
            "efficacy": [(fill(f["prompt"], f["subject"]), p.target(f["target_new"])) for f in facts],
            "paraphrase": [(fill(t, f["subject"]), p.target(f["target_new"])) for f in facts for t in f["paraphrases"]],
            "neighbourhood": [
                (fill(f["prompt"], n["subject"]), p.target(n["target"]))
                for f in facts
                for n in f["neighbourhood"]
                if n["target"] != f["target_new"]
            ],
            "questions": [(p.chat(q), p.target(f["target_new"])) for f in facts for q in f["questions"]],
        }
        return {name: p.hits(items) for name, items in parts.items()}

    def summary(self, facts: list[dict], before: list[bool]) -> dict:
        right = self.right()
        other = right[self.how_to :]
        same = [r for r, q in zip(other, self.others) if q["subject"] in self.subjects]
        change = 100 * (sum(right) - sum(before)) / len(right)
        counts = {name: [sum(got), len(got)] for name, got in self.edits(facts).items()}
        return {
            **counts,
            "harmless": [sum(right), len(right)],
            "change": round(change, 2),
            "howTo": [sum(right[: self.how_to]), self.how_to],
            "sameSubject": [sum(same), len(same)],
        }


def settings_of(a: argparse.Namespace) -> Settings:
    return Settings(
        layers=[int(x) for x in a.layers.split(",")], token=a.token, lr=a.lr, steps=a.steps, clamp=a.clamp, kl=a.kl,
        decay=a.decay, stop_loss=a.stop, lam=a.lam, l2=a.l2, threshold=a.threshold,
    )  # fmt: skip


def main() -> None:
    cli = argparse.ArgumentParser()
    cli.add_argument("inputs")
    cli.add_argument("--method", default="memit", choices=["memit", "alphaEdit", "fineTune"])
    cli.add_argument("--facts", default="test", choices=["test", "tune"])
    cli.add_argument("--n", type=int, default=20)
    cli.add_argument("--batch", type=int, default=1, help="facts of one edit")
    cli.add_argument("--layers", default="0")
    cli.add_argument("--token", default="subjectLast", choices=["subjectLast", "last"])
    for name, default in (("lr", 1.0), ("clamp", 4.0), ("kl", 0.0625), ("decay", 1e-3), ("stop", 0.05)):
        cli.add_argument(f"--{name}", type=float, default=default)
    cli.add_argument("--steps", type=int, default=120)
    cli.add_argument("--lambda", dest="lam", type=float, default=10.0)
    cli.add_argument("--l2", type=float, default=1.0)
    cli.add_argument("--threshold", type=float, default=1e-3)
    cli.add_argument("--at", default="1,2,5,10,20")
    cli.add_argument("--float64", action="store_true")
    cli.add_argument("--threads", type=int, default=1)
    a = cli.parse_args()
    torch.set_num_threads(a.threads)
    data = json.load(open(a.inputs))
    p = Pocket(torch.float64 if a.float64 else torch.float32)
    facts = data["facts"][a.facts][: a.n]
    s = settings_of(a)
    rows = [rows_of(p, f, data["templates"], s.token) for f in facts]
    scores = Scores(p, data, facts)
    before = scores.right()
    print(f"before: {sum(before)}/{len(before)}; {a.method}, {len(facts)} {a.facts} facts, {s}, {p.dtype}", flush=True)
    if a.method == "fineTune":
        losses = fine_tune(p, rows, s.layers, a.lr, s.steps, s.stop_loss, a.decay)
        print(f"all at once, {len(losses)} steps, loss {losses[0]:.3f} to {losses[-1]:.3f}: {json.dumps(scores.summary(facts, before))}")
        return
    editor = Editor(a.method, p, s, {layer: p.moment(data["statistics"], layer) for layer in s.layers})
    stops = {int(x) for x in a.at.split(",")} | {len(facts)}
    for start in range(0, len(facts), a.batch):
        editor.edit(rows[start : start + a.batch])
        done = min(start + a.batch, len(facts))
        if done in stops:
            print(f"after {done}: {json.dumps(scores.summary(facts[:done], before))}", flush=True)


if __name__ == "__main__":
    main()
