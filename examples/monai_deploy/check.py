"""Check that the MONAI Deploy application gives voxel by voxel what `monai.bundle run` gives.

python -m examples.monai_deploy.check --python ENVIRONMENT/bin/python
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from examples.attacked_sample import BUNDLE, compare_segmentations, defend, run_logged, write_attacked_sample
from monai_advdefense.errors import exit_on_error

_APP = Path(__file__).with_name("app.py")


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Export the bundle, run the application and `monai.bundle run` on a volume with attacked slices, and compare."""
    parser = argparse.ArgumentParser(prog="python -m examples.monai_deploy.check", description=main.__doc__)
    parser.add_argument("--python", type=Path, required=True, help="interpreter of the application's environment")
    parser.add_argument("--work_dir", type=Path, default=Path("build/examples"), help="folder of all files")
    options = parser.parse_args(arguments)
    work = options.work_dir.resolve()

    volume = write_attacked_sample(work)
    expected, _ = defend(volume, work / "bundle")

    print("export ...", flush=True)
    model = work / "model.ts"
    configs = BUNDLE / "configs"
    command = [sys.executable, "-m", "monai.bundle", "ckpt_export", "network_def", "--bundle_root", str(BUNDLE)]
    command += ["--config_file", str(configs / "inference.json"), "--meta_file", str(configs / "metadata.json")]
    command += ["--ckpt_file", str(BUNDLE / "models" / "model.pt"), "--filepath", str(model)]
    run_logged(command, work / "log_export.txt")

    print("the application ...", flush=True)
    found = work / "deploy" / expected.name
    found.unlink(missing_ok=True)
    # absolute, but not resolved: the link leads out of the environment.
    command = [str(options.python.absolute()), str(_APP), "-i", str(volume), "-o", str(found.parent), "-m", str(model)]
    run_logged(command, work / "log_deploy.txt")
    compare_segmentations(expected, found)


if __name__ == "__main__":
    main()
