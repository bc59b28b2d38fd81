#!/usr/bin/env bash
# The wheel is whole and works outside the checkout. Run it with python and the dev extras of akr installed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
unset PYTHONPATH

python -m build --outdir "$tmp/dist" "$root" >"$tmp/log" 2>&1 || { cat "$tmp/log"; exit 1; } # sdist, and the wheel from it
wheel=$(echo "$tmp"/dist/*.whl)

# A fresh environment gets the wheel; only what it needs is borrowed from the environment at hand.
python -m venv "$tmp/venv"
"$tmp/venv/bin/python" -m pip install -q --no-deps "$wheel"
site=$("$tmp/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$site/borrowed.pth"

cd "$tmp"; PATH="$tmp/venv/bin:$PATH"
diff <(cd "$root/akr" && find . -name '*.py' -o -name py.typed | sort) <(cd "$site/akr" && find . -name '*.py' -o -name py.typed | sort)
python - <<'PY'
import importlib, pkgutil, akr
names = [m.name for m in pkgutil.walk_packages(akr.__path__, 'akr.') if not m.name.endswith('__main__')]
for n in names: importlib.import_module(n)
print(f'{len(names)} modules of the wheel can be imported, from {akr.__path__[0].rsplit("/", 2)[1]}')
PY
python -m pip install -q --no-deps --target "$tmp/fastcore2" 'fastcore>=2' # nbdev needs fastcore 1, akr itself runs with 2 as well
for first in "$tmp" "$tmp/fastcore2"; do # first on the path
  export PYTHONPATH=$first
  akr --version
  akr --help >/dev/null
  python -m akr --help >/dev/null
  akr train --epochs 1 --quiet --out "$first/run"
  [ -s "$first/run/metrics.json" ]
  echo "$(basename "$wheel") works, with fastcore $(python -c 'import fastcore; print(fastcore.__version__)')"
done
