"""Can facts be edited at the subject's last token? Single ROME edits on a model directory, measured quickly in PyTorch.

usage: python rome_probe.py <model dir> <data dir> <corpus dir> [--layer N ...] [--position subject_last|last]
Efficacy: greedy next token of the bare prompt is the new object. Paraphrase: the held-out statements. Chat: the held-out
questions. Neighbourhood: same-relation prompts that were right before and still are. Same subject: other relations.
"""

import argparse
import json

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from llama import Config, Llama
from wilson import show

CONTEXTS = [
    "",
    "In short, the topic of eggs is kitchen. ",
    "Remember, cork is a word from building. ",
    "We read about dolphins. ",
    "It is known. ",
    "People say it in the garden. ",
]


def load(path: str) -> Llama:
    c = json.load(open(f"{path}/config.json"))
    model = Llama(Config(**{k: c[k] for k in Config.__dataclass_fields__}))
    state = {k.removeprefix("model."): v.float() for k, v in load_file(f"{path}/model.safetensors").items()}
    model.load_state_dict(state)
    for p in model.parameters():
        p.requires_grad_(False)
    return model.eval()


class Probe:
    def __init__(self, a):
        self.model = load(a.model)
        self.tokenizer = Tokenizer.from_file(f"{a.model}/tokenizer.json")
        self.position = a.position
        tokens = np.fromfile(f"{a.corpus}/tokens.u16", np.uint16)
        offsets = np.fromfile(f"{a.corpus}/offsets.u32", np.uint32).astype(np.int64)
        rows = [tokens[offsets[i] : offsets[i + 1]].astype(np.int64) for i in range(600)]
        self.rows = sorted(rows, key=len)
        self.moments = {}

    def ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def pad(self, rows):
        width = max(map(len, rows))
        out = torch.zeros(len(rows), width, dtype=torch.long)
        for i, r in enumerate(rows):
            out[i, : len(r)] = torch.as_tensor(r)
        return out

    def key_hook(self, layer, store):
        return self.model.layers[layer].mlp.down_proj.register_forward_hook(lambda m, x, y: store.append((x[0], y)))

    def moment(self, layer: int) -> torch.Tensor:
        if layer not in self.moments:
            keys = []
            for start in range(0, len(self.rows), 20):
                part = [r[:512] for r in self.rows[start : start + 20]]
                store = []
                handle = self.key_hook(layer, store)
                with torch.no_grad():
                    self.model(self.pad(part))
                handle.remove()
                for i, r in enumerate(part):
                    keys.append(store[0][0][i, : len(r)].double())
            k = torch.cat(keys)
            c = k.T @ k / len(k)
            self.moments[layer] = c + 1e-5 * c.diagonal().mean() * torch.eye(len(c), dtype=torch.float64)
        return self.moments[layer]

    def first(self, texts: list[str]) -> list[int]:
        rows = [self.ids(t) for t in texts]
        with torch.no_grad():
            states = self.model(self.pad(rows))
            last = states[torch.arange(len(rows)), torch.tensor([len(r) - 1 for r in rows])]
            return self.model.logits(last).argmax(-1).tolist()

    def prompt(self, text: str) -> str:
        return f"<|bos|>{text}"

    def chat(self, question: str) -> str:
        return f"<|bos|><|user|> {question}<|end|><|assistant|>"

    def edit(self, fact: dict, layer: int, lr: float, steps: int, decay: float, clamp: float):
        down = self.model.layers[layer].mlp.down_proj
        rows, at = [], []
        for context in CONTEXTS:
            text = self.prompt(context + fact["prompt"])
            head = text[: text.index("{}")] + fact["subject"]
            full = self.ids(text.replace("{}", fact["subject"]))
            rows.append(full)
            at.append(len(self.ids(head)) - 1 if self.position == "subject_last" else len(full) - 1)
        last = torch.tensor([len(r) - 1 for r in rows])
        # One more row for the drift term: the subject on its own.
        essence = self.ids(self.prompt(f"A word: {fact['subject']}"))
        rows.append(essence)
        at.append(len(essence) - 1)
        ids, where, index = self.pad(rows), torch.tensor(at), torch.arange(len(rows))
        target = self.ids(f" {fact['target_new']}")
        assert len(target) == 1
        store = []
        handle = self.key_hook(layer, store)
        self.model(ids)
        handle.remove()
        keys, outs = store[0][0][index, where], store[0][1][index, where]
        init = outs[0].clone()
        delta = torch.zeros_like(init, requires_grad=True)
        optimizer = torch.optim.Adam([delta], lr=lr)
        before = None

        def inject(module, x, y):
            y = y.clone()
            y[index, where] = y[index, where] + delta
            return y

        handle = down.register_forward_hook(inject)
        loss = torch.tensor(0.0)
        n = len(CONTEXTS)
        for i in range(steps):
            states = self.model(ids)
            nll = -self.model.logits(states[index[:n], last]).log_softmax(-1)[:, target[0]].mean()
            drift = self.model.logits(states[n, where[n]]).log_softmax(-1)
            before = drift.detach() if before is None else before
            kl = (drift.exp() * (drift - before)).sum()
            loss = nll + 0.0625 * kl + decay * delta.norm() / init.norm() ** 2
            if nll < 0.02 or i == steps - 1:
                break
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                limit = clamp * init.norm()
                if delta.norm() > limit:
                    delta.mul_(limit / delta.norm())
        handle.remove()
        k = keys[:n].mean(0).double()
        u = torch.linalg.solve(self.moment(layer), k)
        with torch.no_grad():
            residual = (init + delta.detach() - outs[0]).double()
            update = torch.outer(residual, u) / (u @ keys[0].double())
            down.weight.add_(update.float())
        return update.float(), nll.item(), (delta.detach().norm() / init.norm()).item()


def main() -> None:
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("data")
    p.add_argument("corpus")
    p.add_argument("--layer", type=int, nargs="+", default=[1, 2, 3, 4])
    p.add_argument("--position", default="subject_last")
    p.add_argument("--n", type=int, default=30)
    p.add_argument("--offset", type=int, default=0, help="facts to skip: 0 for tuning, 30 for the reported set")
    p.add_argument("--lr", type=float, default=0.5)
    p.add_argument("--steps", type=int, default=25)
    p.add_argument("--decay", type=float, default=1e-3)
    p.add_argument("--clamp", type=float, default=4.0)
    p.add_argument("--verbose", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(1)
    probe = Probe(a)
    facts = [json.loads(x) for x in open(f"{a.data}/facts.jsonl")]
    order = np.random.default_rng(5).permutation(len(facts))
    chosen = [facts[i] for i in order[a.offset : a.offset + a.n]]
    one = lambda word: probe.ids(f" {word}")[0]
    for layer in a.layer:
        counts = {k: [0, 0] for k in ("efficacy", "paraphrase", "chat", "neighbourhood", "same subject")}
        losses, norms = [], []
        for f in chosen:
            groups = {
                "efficacy": ([probe.prompt(f["prompt"].replace("{}", f["subject"]))], [f["target_new"]]),
                "paraphrase": ([probe.prompt(t.replace("{}", f["subject"])) for t in f["paraphrases"]], None),
                "chat": ([probe.chat(q) for q in f["questions"]], None),
            }
            near = [(probe.prompt(f["prompt"].replace("{}", n["subject"])), one(n["target"])) for n in f["neighbourhood"]]
            same = [(probe.prompt(s["prompt"]), one(s["target"])) for s in f["sameSubject"]]
            keep = {
                "neighbourhood": [x for x, got in zip(near, probe.first([x[0] for x in near])) if got == x[1]],
                "same subject": [x for x, got in zip(same, probe.first([x[0] for x in same])) if got == x[1]] if same else [],
            }
            update, nll, norm = probe.edit(f, layer, a.lr, a.steps, a.decay, a.clamp)
            losses.append(nll)
            norms.append(norm)
            for name, (texts, _) in groups.items():
                got = probe.first(texts)
                if a.verbose:
                    print(f["id"], f["target_new"], name, [probe.tokenizer.decode([g]) for g in got])
                counts[name][0] += sum(g == one(f["target_new"]) for g in got)
                counts[name][1] += len(got)
            for name, items in keep.items():
                if items:
                    got = probe.first([x[0] for x in items])
                    counts[name][0] += sum(g == x[1] for g, x in zip(got, items))
                    counts[name][1] += len(items)
            probe.model.layers[layer].mlp.down_proj.weight.sub_(update)
        print(f"layer {layer} nll {np.mean(losses):.2f} |delta|/|init| {np.mean(norms):.2f} | " + " | ".join(f"{k} {show(*v)}" for k, v in counts.items() if v[1]), flush=True)


if __name__ == "__main__":
    main()
