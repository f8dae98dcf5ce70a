#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# ebb bench: its tables and its JSON. The times themselves are not tested.
. "$(dirname "$0")/tap.sh"
bench="$ebb bench --device cpu --threads 1 --repeat 1"

times='"step_ms":[0-9.]*,.*"phase_ms":.*"real_time_factor":[0-9.]*,"peak_memory_mb":[0-9.]*'
ok "a model that makes" says "^{\"model\":\"tiny-sfx\",.*$times}\$" $bench tiny-sfx --json
adds_up() {
    $bench tiny-sfx --json "$@" | python3 -c 'import json, sys
o = json.load(sys.stdin)
parts = [o[k] for k in ("loop_ms", "decode_ms", "inverse_ms", "phase_ms")]
sys.exit(abs(sum(parts) - o["total_ms"]) > 1e-3 * o["total_ms"] or min(parts[0], parts[2]) <= 0)'
}
ok "the stages add up" adds_up
ok "of a long sound, too" adds_up --seconds 6
ok "a model that cleans" says '"windows":[1-9].*"real_time_factor":[0-9.]*,' $bench tiny-denoise \
    --seconds 1 --json
ok "for people" says 'real-time factor  *[0-9.]* (below 1' $bench tiny-sfx
ok "operation by operation" says '[0-9.]*% *[0-9]*  conv' $bench tiny-sfx --profile
ok "as JSON" says '"profile":\[{"op":".*","times":[0-9]*,"ms":[0-9.]*}' $bench tiny-denoise \
    --seconds 1 --profile --json
ok "as a trace" \
    sh -c "$bench tiny-sfx --trace t.json >table &&
        grep -q '{\"traceEvents\":\[{\"name\":\".*\",\"ph\":\"X\",\"ts\":0.0,\"dur\":[0-9.]*,' t.json"
# shellcheck disable=SC3045 # both shells of Debian know ulimit -f
full() { (ulimit -f 4; $bench tiny-sfx --trace big.json >/dev/null 2>trace-err); [ $? -eq 5 ]; }
fails 2 "expected a file's name" $bench tiny-sfx --trace -
ok "a trace that does not fit" full
ok "is named" grep -q big.json trace-err
ok "and is not half there" test ! -e big.json
fails 3 'nosuch' $bench nosuch
failed() { "$@" nosuch --json 2>err | python3 -c 'import json, sys
o = json.load(sys.stdin); sys.exit(o["status"] != "failed" or o["model"] != "nosuch")'; }
ok "a failure is a line of JSON" failed $bench
ok "that of labels too" failed "$ebb" labels
fails 5 'nosuch/t.json' $bench tiny-sfx --trace nosuch/t.json
fails 6 'nosuch' "$ebb" bench tiny-sfx --device nosuch

done_testing
