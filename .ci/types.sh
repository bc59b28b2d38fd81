#!/usr/bin/env bash
# The type stubs akr/*.pyi are up to date, agree with the code as it runs, and serve a user's program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python .ci/stubs.py --check
python -m mypy --config-file .ci/mypy.ini akr .ci/typed_use.py # each line that must be refused is marked there
python -m mypy.stubtest --mypy-config-file .ci/mypy.ini --allowlist .ci/stubtest_allow.txt --ignore-missing-stub --concise akr
python .ci/typed_use.py
