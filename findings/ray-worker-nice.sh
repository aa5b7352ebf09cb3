#!/usr/bin/env bash
# Ray runs the processes of its workers at nice 15, whatever the priority of the program that has started Ray.
#
# Versions:  ray 2.51.1.
# Behaviour: ray.init() of a local instance, nothing set: a task sees a nice value of 15 where the driver has 0. On a machine
#            that does other work too, the same function takes many times as long in a worker as in the driver.
# Expected:  that of the driver, as in processes of multiprocessing or torchrun.
# Hit:       whoever moves a computation into actors on a workstation in use: 20 s in place of 1 s for a volume, seen beside
#            eight other processes on two cores. A way round: RAY_worker_niceness=0 in the environment of ray.init.
#
# Output:
#   driver: nice 0; worker: nice 15
#   RAY_worker_niceness=0: driver: nice 0; worker: nice 0
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ray==2.51.1

cat >"$folder/nice.py" <<'PYTHON'
import os
import warnings

warnings.simplefilter("ignore")
import ray

# No reports to the makers, and no ports that others can reach.
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR", _node_ip_address="127.0.0.1")
niceness = ray.remote(lambda: os.nice(0))
print(f"driver: nice {os.nice(0)}; worker: nice {ray.get(niceness.remote())}")
PYTHON

export RAY_USAGE_STATS_ENABLED=0
unset RAY_worker_niceness
plain=$("$folder/venv/bin/python" "$folder/nice.py" 2>/dev/null)
mended=$(RAY_worker_niceness=0 "$folder/venv/bin/python" "$folder/nice.py" 2>/dev/null)
echo "$plain"
echo "RAY_worker_niceness=0: $mended"
[[ "$plain" == "driver: nice 0; worker: nice 15" && "$mended" == "driver: nice 0; worker: nice 0" ]] || {
    echo "changed"
    exit 1
}
echo "as stated"
