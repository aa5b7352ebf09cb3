#!/usr/bin/env bash
# After torch.distributed.init_process_group a program's own last words on an error are lost.
#
# Versions:  torch 2.13.0; beside it numpy 2.4.6.
# Behaviour: init_process_group sets a sys.excepthook of its own, which runs the former hook with sys.stderr replaced by
#            a buffer and prints the buffer when that hook returns, with the rank before each line. A hook that ends the
#            process itself, by sys.exit(3) for an exit code or by os._exit(3), never returns: what it printed is thrown
#            away, and the process ends without any message. destroy_process_group does not put the former hook back.
# Expected:  starting (or having ended) communication between processes does not touch how errors are reported; a hook
#            that works in one process works in a group of one.
# Hit:       command line tools and runners whose hook prints one clear line in the place of a traceback and exits with a
#            code of their own: in a single process all is well, under torchrun the job fails in silence. A way round:
#            print to sys.__stderr__, or set the hook after init_process_group.
#
# Output:
#   hook ends by return, alone: exit code 1, stderr 'program: the scan has no slices'
#   hook ends by return, group: exit code 1, stderr '[rank0]: program: the scan has no slices'
#   hook ends by sys.exit, alone: exit code 3, stderr 'program: the scan has no slices'
#   hook ends by sys.exit, group: exit code 3, stderr ''
#   hook ends by os._exit, alone: exit code 3, stderr 'program: the scan has no slices'
#   hook ends by os._exit, group: exit code 3, stderr ''
#   as stated: after init_process_group a hook that ends the process prints nothing
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6

cat >"$folder/program.py" <<'PYTHON'
import os
import sys

ending, group, folder = sys.argv[1:]


def hook(kind, value, traceback):
    print(f"program: {value}", file=sys.stderr, flush=True)
    if ending == "sys.exit":
        sys.exit(3)
    if ending == "os._exit":
        os._exit(3)


sys.excepthook = hook
if group == "group":
    import torch.distributed

    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store-{ending}", rank=0, world_size=1)
    torch.distributed.destroy_process_group()
raise ValueError("the scan has no slices")
PYTHON

seen=
for ending in return sys.exit os._exit; do
    for group in alone group; do
        code=0
        "$folder/venv/bin/python" "$folder/program.py" "$ending" "$group" "$folder" 2>"$folder/stderr" || code=$?
        # Only the program's own line counts, not what a library may log.
        line=$(grep -F "program: " "$folder/stderr" || true)
        echo "hook ends by $ending, $group: exit code $code, stderr '$line'"
        seen+="$ending $group $code $line;"
    done
done
said="program: the scan has no slices"
stated="return alone 1 $said;return group 1 [rank0]: $said;sys.exit alone 3 $said;sys.exit group 3 ;"
stated+="os._exit alone 3 $said;os._exit group 3 ;"
if [ "$seen" != "$stated" ]; then
    echo "changed: expected '$stated', found '$seen'" >&2
    exit 1
fi
echo "as stated: after init_process_group a hook that ends the process prints nothing"
