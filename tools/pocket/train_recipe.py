"""Trains the bundled model from nothing: every stage of recipe.json, one after the other, resumable.

usage: python train_recipe.py <work dir> <model dir>      (from tools/pocket; needs `pnpm tsx`)
"""

import json
import os
import subprocess
import sys


def main() -> None:
    work, model = sys.argv[1:3]
    recipe = json.load(open("recipe.json"))
    for stage in recipe["stages"]:
        corpus = f"{work}/{stage['mix']}"
        if not os.path.exists(f"{corpus}/corpus.json"):
            subprocess.run(["pnpm", "tsx", "src/write-corpus.ts", corpus, stage["mix"], str(stage["documents"])], check=True)
        last = stage is recipe["stages"][-1]
        command = [sys.executable, "train_torch.py", corpus, f"{work}/run", "--seed", str(recipe["seed"])]
        command += ["--steps", str(stage["steps"]), "--decay-from", str(stage["decayFrom"]), "--stop-at", str(stage["until"])]
        # Without a model dir a finished stage leaves its checkpoint, from which the next one goes on.
        subprocess.run([*command, "--export-average", "--model-dir", model] if last else command, check=True)


if __name__ == "__main__":
    main()
