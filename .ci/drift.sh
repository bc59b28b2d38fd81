#!/usr/bin/env bash
# The notebooks are clean, and akr/, its type stubs and README.md are what they say. Needs a commit to compare with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
nbdev_clean
nbdev_export
python .ci/stubs.py
python .ci/readme.py
git diff --stat --patch --exit-code || { echo 'These files are out of date: run nbdev_clean, nbdev_export, python .ci/stubs.py and python .ci/readme.py'; exit 1; }
stray=$(git status --porcelain)
[ -z "$stray" ] || { printf 'These files are not committed:\n%s\n' "$stray"; exit 1; }
echo 'clean, exported, README.md up to date'
