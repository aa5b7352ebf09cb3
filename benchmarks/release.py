"""The whole inferer, its start and its memory beside those of an earlier release, in one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import torch
from monai.transforms import LoadImage, SaveImage, Spacing, SpatialPad

from benchmarks.memory import peak
from benchmarks.table import Row
from monai_advdefense.errors import InputError
from monai_advdefense.messages import broken_rule

__all__ = ["EXPLANATION", "commit_of", "measure"]

EXPLANATION = (
    "This checkout beside that of an earlier release ({commit}), each in processes of its own, with its own bundle, on "
    "one sample brain. *Inferer*: from the preprocessed volume to the labels on the grid of the input, all scores; "
    "both take turns, medians over {repeats} turns after one that is not counted. *Start*: seconds of processor to "
    "the first convolution, the fewest of three runs: `python -m monai.bundle run` of the release, `advdefense screen` "
    "here, and the imports of torch and MONAI alone, which both need. `import monai` imports all of its submodules, "
    "whichever is asked for, and with them SciPy, matplotlib, pandas, scikit-learn and TensorBoard: no process with "
    "MONAI starts sooner than these imports end. *Memory*: highest resident memory of "
    "`python -m monai.bundle run` on the brain, and on a copy of half the voxel size with 512 x 512 x 512 voxels. "
    "Labels are compared where neither rejects a slice."
)
_HERE = Path(__file__).resolve().parents[1]
_BUNDLE = Path("bundles", "brain_mri_defended_segmentation")
_REJECTED = 28
_BARS = {"time": 0.5, "labels": 1.0, "start": 0.6, "memory": 0.5, "memory of half the voxel size": 0.35}


def commit_of(checkout: Path) -> str:
    """Commit that is checked out in a folder.

    Raises:
        InputError: it is no checkout.
    """
    command = ["git", "-C", str(checkout), "rev-parse", "--show-toplevel", "--short", "HEAD"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    top, _, commit = asked.stdout.partition("\n")
    # A folder within another checkout has the commit of that one.
    if asked.returncode or Path(top) != checkout.resolve():
        raise broken_rule("--baseline", "a checkout", f"none in {checkout}", "give that of a release")
    return commit.strip()


def measure(baseline: Path, sample: Path, *, repeats: int) -> list[Row]:
    """Rows for ``baseline``, the checkout of a release, on the volume ``sample``.

    Raises:
        InputError: ``baseline`` is no checkout with the bundle and its weights, or a process of it fails.
    """
    weights = baseline / _BUNDLE / "models" / "model.pt"
    if not weights.is_file():
        raise InputError(f"--baseline: expected a checkout with {weights}, found none: give that of a release")
    with tempfile.TemporaryDirectory() as folder:
        return [
            *_inferer(baseline, sample, Path(folder), repeats),
            *_start(baseline, sample, Path(folder)),
            *_memory(baseline, sample, "memory"),
            *_memory(baseline, _finer(sample, Path(folder, "finer")), "memory of half the voxel size"),
        ]


def _inferer(baseline: Path, sample: Path, folder: Path, repeats: int) -> list[Row]:
    checkouts = {"release": baseline, "here": _HERE}
    processes = {name: _turns(checkout, sample) for name, checkout in checkouts.items()}
    seconds: dict[str, list[list[float]]] = {name: [] for name in checkouts}
    for _ in range(repeats + 1):
        for name, process in processes.items():
            seconds[name].append(json.loads(_answer(process, folder / f"{name}.pt")))
    for process in processes.values():
        process.communicate()
    before, after = ([median(column) for column in zip(*turns[1:], strict=True)] for turns in seconds.values())
    labels = [torch.load(folder / f"{name}.pt") for name in checkouts]
    kept = (labels[0] != _REJECTED) & (labels[1] != _REJECTED)
    return [
        Row("inferer of the release", before[0], unit=" s"),
        Row("inferer", after[0], unit=" s"),
        Row("inferer: ratio to the release", after[0] / before[0], _BARS["time"]),
        Row("inferer: ratio of the seconds of processor", after[1] / before[1]),
        Row("inferer: times as fast as the release", before[0] / after[0]),
        Row("voxels with other labels, of a million", 1e6 * _share(labels[0] != labels[1], kept), _BARS["labels"]),
    ]


def _share(differs: torch.Tensor, kept: torch.Tensor) -> float:
    return float(differs[kept].double().mean())


def _turns(checkout: Path, sample: Path) -> subprocess.Popen[str]:
    """Process that segments ``sample`` on demand."""
    command = [sys.executable, str(_HERE / "benchmarks" / "turns.py"), str(checkout), str(sample)]
    process = subprocess.Popen(
        command, env=_environment(checkout), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    while (line := _line(process)) != "ready":
        print(line, flush=True)
    return process


def _answer(process: subprocess.Popen[str], labels: Path) -> str:
    assert process.stdin
    process.stdin.write(f"{labels}\n")
    process.stdin.flush()
    return _line(process)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise InputError(f"{process.args}: expected an answer, found exit code {process.wait()}: run it by hand")
    return line.strip()


def _environment(checkout: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(checkout)}


def _start(baseline: Path, sample: Path, folder: Path) -> list[Row]:
    data = folder / "start"
    data.mkdir()
    (data / sample.name).symlink_to(sample)
    output = str(folder / "output")
    run = ["monai.bundle", "run", "--config_file", str(baseline / _BUNDLE / "configs" / "inference.json")]
    run += ["--bundle_root", str(baseline / _BUNDLE), "--dataset_dir", str(data), "--output_dir", output]
    screen = ["monai_advdefense", "screen", str(data), "--output-dir", output]
    start = [str(_HERE / "benchmarks" / "start.py")]
    imports = ["-c", "import monai.bundle, time; print(time.process_time())"]
    before = _processor_seconds(baseline, [*start, *run, "--device", "$torch.device('cpu')"])
    after, alone = _processor_seconds(_HERE, [*start, *screen]), _processor_seconds(_HERE, imports)
    return [
        Row("start of the release", before, unit=" s"),
        Row("start", after, unit=" s"),
        Row("start: imports of torch and MONAI", alone, unit=" s"),
        Row("start: ratio to the release", after / before, _BARS["start"]),
    ]


def _processor_seconds(checkout: Path, arguments: list[str]) -> float:
    """What a process says in its last line; the fewest of three runs."""
    command = [sys.executable, *arguments]
    found = [
        subprocess.run(command, env=_environment(checkout), capture_output=True, text=True, check=False)
        for _ in range(3)
    ]
    if any(process.returncode for process in found):
        raise InputError(f"{command}: expected seconds, found {found[0].stderr[-300:]}: run it by hand")
    return min(float(process.stdout.strip().splitlines()[-1]) for process in found)


def _memory(baseline: Path, sample: Path, name: str) -> list[Row]:
    before, after = (peak(checkout / _BUNDLE, sample, 1) for checkout in (baseline, _HERE))
    return [
        Row(f"{name} of the release", before, unit=" GiB"),
        Row(name, after, unit=" GiB"),
        Row(f"{name}: ratio to the release", after / before, _BARS[name]),
    ]


def _finer(sample: Path, folder: Path) -> Path:
    """A copy of half the voxel size, filled up to 512 x 512 x 512 voxels."""
    image = LoadImage(ensure_channel_first=True)(sample)
    finer = Spacing([float(size) / 2 for size in image.pixdim])(image)
    SaveImage(folder, output_postfix="finer", separate_folder=False, print_log=False)(SpatialPad([512] * 3)(finer))
    (path,) = folder.iterdir()
    return path
