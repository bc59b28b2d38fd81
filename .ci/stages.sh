# How .ci/check and .ci/run report: `stage NAME COMMAND...` for each check, `verdict` at the end.
passed=${passed:-0} failed=${failed:-0} summary=${summary:-}

line() { # line NAME SECONDS OK?
  if [ "$3" = 0 ]; then passed=$((passed+1)); else failed=$((failed+1)); fi
  note "$@"
}
note() { summary+=$(printf '%-6s %5ss  %s' "$([ "$3" = 0 ] && echo ok || echo FAILED)" "$2" "$1")$'\n'; }
run() { # run NAME COMMAND...: sets rc and secs
  local start=$SECONDS
  printf '\n=== %s ===\n' "$1"; shift
  rc=0; "$@" || rc=$?
  secs=$((SECONDS-start)); echo "--- ${secs} s, exit code $rc"
}
stage() { run "$@"; line "$1" "$secs" "$rc"; } # a check that counts as one
shell() { bash -euo pipefail -c "$1"; }
verdict() {
  printf '\n=== summary, %s s ===\n%s%s passed, %s failed\n' "$SECONDS" "$summary" "$passed" "$failed"
  [ "$failed" = 0 ]
}
