"""Check that the MONAI Deploy application gives the verdict, and voxel by voxel the labels, of `monai.bundle run`.

python -m examples.monai_deploy.check --python ENVIRONMENT/bin/python
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from examples.attacked_sample import (
    compare_answers,
    compare_segmentations,
    defend,
    fitted_bundle,
    run_logged,
    write_attacked_sample,
)
from monai_advdefense.errors import exit_on_error

_APP = Path(__file__).with_name("app.py")


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the application and `monai.bundle run` on a volume with attacked slices, and compare."""
    parser = argparse.ArgumentParser(prog="python -m examples.monai_deploy.check", description=main.__doc__)
    parser.add_argument("--python", type=Path, required=True, help="interpreter of the application's environment")
    parser.add_argument("--work_dir", type=Path, default=Path("build/examples"), help="folder of all files")
    options = parser.parse_args(arguments)
    work = options.work_dir.resolve()

    bundle, volume = fitted_bundle(work), write_attacked_sample(work)
    expected, record = defend(volume, bundle, work / "bundle")

    print("the application ...", flush=True)
    found = work / "deploy" / expected.name
    said = found.with_name(expected.name.replace("_seg.nii.gz", "_guard.json"))
    for path in (found, said):
        path.unlink(missing_ok=True)
    # absolute, but not resolved: the link leads out of the environment.
    command = [str(options.python.absolute()), str(_APP), "-i", str(volume), "-o", str(found.parent), "-m", str(bundle)]
    run_logged(command, work / "log_deploy.txt")
    compare_segmentations(expected, found)
    compare_answers(record, expected, json.loads(said.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
