#!/usr/bin/env bash
# nbdev needs fastcore 1, akr itself runs with fastcore 2 as well: put that first on the path and try.
set -euo pipefail
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python -m pip install -q --no-deps --target "$tmp/lib" 'fastcore>=2'
export PYTHONPATH="$tmp/lib"
python -c 'import fastcore; v = fastcore.__version__; assert int(v.split(".")[0]) >= 2, v; print("fastcore", v)'
akr --help >/dev/null
akr train --epochs 1 --quiet --out "$tmp/run"
[ -s "$tmp/run/metrics.json" ]
echo 'akr works with it'
