#!/usr/bin/env bash
# Creates the Python environment of the parity tools.
# SAFEINFER_PARITY_VENV names its folder (default: .venv beside this script, ignored by git).
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
venv="${SAFEINFER_PARITY_VENV:-$here/.venv}"
python="${PYTHON:-python3}"
if [ ! -x "$venv/bin/python" ]; then
  "$python" -m venv "$venv"
fi
"$venv/bin/python" -m pip install --quiet --requirement "$here/requirements.txt"
"$venv/bin/python" - <<'PY'
import peft, torch, transformers
print(f"parity environment ready: torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}")
PY
