#!/bin/bash
# Random sequences of servicing operations on the lab's image keep it whole: servicing.py says how. A seed given in
# IB_SEED is run again; IB_SEQUENCES says how many (ci/nightly runs more).
. "$IB_SRC/tests/lib.sh"
need python3
lab
run=$IB_BUILD/tool_servicing_run
[ -x "$run" ] || skip "tool_servicing_run is not built"
python3 "$IB_SRC/tests/roundtrip/servicing.py" "$run" "$media/sources/install.wim" "$media/packages" "$media/lab-root.pem" \
	"${IB_SEED:-$RANDOM$RANDOM}" "${IB_SEQUENCES:-1}" 30
