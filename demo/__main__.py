"""Defend a sample brain and an attacked copy of it, and print what the guard changes."""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from monai.bundle import ConfigParser
from torch import Tensor

from demo.comparison import Row, format_table, read_decisions, tissue_dice
from monai_advdefense.data import volume_datalist
from monai_advdefense.data.template_datalist import sample_paths
from monai_advdefense.data.template_sample import write_template_samples
from monai_advdefense.errors import InputError, OutputError, exit_on_error
from monai_advdefense.weights import load_weights

# The first sample of the test split: nothing was trained or calibrated on it.
_SEED = 900
_SLICES = 24
# The samples are written in RAS.
_CORONAL = 1
_STEPS = 4
_INPUTS = ("clean.nii.gz", "attacked.nii.gz")


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Defend a sample brain and an attacked copy of it, and print what the guard changes."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=main.__doc__)
    parser.add_argument("--output_dir", default="demo", help="folder of all results; older ones are replaced")
    parser.add_argument(
        "--bundle_root",
        default=Path(__file__).parents[1] / "bundles" / "brain_mri_defended_segmentation",
        help="bundle of the defended segmenter; that of the repository by default",
    )
    options = parser.parse_args(arguments)
    bundle, folder = Path(options.bundle_root).resolve(), Path(options.output_dir).resolve()
    _check_bundle(bundle)
    start = time.monotonic()
    inputs, outputs = folder / "input", folder / "output"
    clean, attacked = (inputs / name for name in _INPUTS)

    _step(1, "a sample brain from the MNI152 template")
    tissue = _make_sample(folder, clean)

    _step(2, f"attack {_SLICES} evenly spaced slices of it")
    _run_bundle(bundle, ["inference", "attack"], clean, folder / "attack", "--slices", str(_SLICES))
    _move(folder / "attack" / "clean_attacked.nii.gz", attacked)

    _step(3, "segment both with the guard in front")
    _run_bundle(bundle, ["inference", "combined"], inputs, outputs)

    _step(4, "segment both without the guard, and compare with the tissue maps of the sample")
    rows = _compare(bundle, folder, tissue)
    print(f"\n{format_table(rows)}\n")
    print("Dice with the guard is over the accepted slices; rejected ones get no segmentation.")
    for volume in (clean, attacked):
        name = volume.name.removesuffix(".nii.gz")
        print(f"report of {name + ':':9} {outputs / f'{name}_report.html'}")
    print(f"took {time.monotonic() - start:.0f} s")


def _step(number: int, title: str) -> None:
    print(f"[{number}/{_STEPS}] {title}", flush=True)


def _check_bundle(bundle: Path) -> None:
    """A clear error before anything is computed."""
    for name in ("configs/inference.json", "configs/attack.json", "models/model.pt"):
        if not (bundle / name).is_file():
            raise InputError(
                f"{bundle / name}: expected this file of the bundle brain_mri_defended_segmentation, found none; run "
                "from a checkout of the repository or give --bundle_root"
            )


def _make_sample(folder: Path, clean: Path) -> Path:
    """Write the sample's image and, outside of the inputs, its tissue labels; return the path of the latter."""
    # All volumes in the folder are segmented, and nothing of the user's is removed.
    inputs = volume_datalist(clean.parent) if any(clean.parent.rglob("*.nii*")) else []
    strangers = [case["image"] for case in inputs if Path(case["image"]).name not in _INPUTS]
    if strangers:
        raise InputError(
            f"{strangers[0]}: expected only volumes of an earlier demo in this folder, found another; give another "
            "--output_dir"
        )
    [image] = write_template_samples(folder / "sample", 1, first_seed=_SEED)
    try:
        clean.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image, clean)
    except OSError as error:
        raise OutputError(f"{clean}: expected to write it, found {error}; give another --output_dir") from error
    return sample_paths(folder / "sample", _SEED)[1]


def _move(source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except OSError as error:
        raise OutputError(f"{target}: expected to move {source} here, found {error}; run the demo again") from error


def _run_bundle(bundle: Path, names: Sequence[str], dataset: Path, output: Path, *options: str) -> None:
    """Run a configuration of the bundle as a user would; its log goes to a file and is shown only on failure."""
    files = [str(bundle / "configs" / f"{name}.json") for name in names]
    config = files[0] if len(files) == 1 else "[" + ",".join(f"'{file}'" for file in files) + "]"
    command = ["-m", "monai.bundle", "run", "--bundle_root", str(bundle), "--config_file", config]
    command += ["--dataset_dir", str(dataset), "--output_dir", str(output), *options]
    # The list of configs holds single quotes, which shlex would escape beyond recognition.
    words = [f'"{word}"' if word.startswith("[") else shlex.quote(word) for word in command]
    print(f"      $ python {' '.join(words)}", flush=True)
    log = output.parent / f"log_{names[-1]}.txt"
    start = time.monotonic()
    with log.open("w", encoding="utf-8") as file:
        # The command is made of this interpreter and of paths, and no shell reads it.
        done = subprocess.run([sys.executable, *command], stdout=file, stderr=subprocess.STDOUT)  # noqa: S603
    if done.returncode != 0:
        print(log.read_text(encoding="utf-8", errors="replace"), file=sys.stderr)
        raise OutputError(
            f"{log}: expected the command above to succeed, found exit code {done.returncode}; see its log"
        )
    print(f"      {time.monotonic() - start:.0f} s, log in {log}", flush=True)


def _compare(bundle: Path, folder: Path, tissue_path: Path) -> list[Row]:
    """Decisions and Dice of the clean and of the attacked volume."""
    tissue = _volume(tissue_path)
    paths = [str(folder / "input" / f"{name}.nii.gz") for name in ("clean", "attacked")]
    alone = dict(zip(("clean", "attacked"), _segment_alone(bundle, paths), strict=True))
    guarded = {name: _volume(folder / "output" / f"{name}_seg.nii.gz") for name in alone}
    decisions = {name: read_decisions(folder / "output" / f"{name}_scores.csv") for name in alone}
    touched = _attacked_slices(folder)
    every = set(decisions["clean"])
    rows = []
    for title, name, group in (
        ("clean", "clean", every),
        ("  the slices attacked below", "clean", touched),
        ("attacked", "attacked", touched),
        ("  the other slices of that copy", "attacked", set(decisions["attacked"]) - touched),
    ):
        accepted = sorted(i for i in group if decisions[name].get(i) == "accepted")
        with_guard = tissue_dice(guarded[name], tissue, accepted, slice_dim=_CORONAL)
        without = tissue_dice(alone[name], tissue, sorted(group), slice_dim=_CORONAL)
        rows.append(Row(title, len(accepted), len(group) - len(accepted), with_guard, without))
    return rows


def _volume(path: Path) -> Tensor:
    return torch.from_numpy(np.asarray(nib.load(path).dataobj).astype(np.int64))  # type: ignore[attr-defined]


def _attacked_slices(folder: Path) -> set[int]:
    """Slices of the input in which its attacked copy differs from it, along the coronal axis of a sample."""
    both = [nib.load(folder / "input" / f"{name}.nii.gz") for name in ("clean", "attacked")]
    clean, attacked = (np.asarray(image.dataobj) for image in both)  # type: ignore[attr-defined]
    return set(np.flatnonzero((clean != attacked).any(axis=(0, 2))).tolist())


@torch.no_grad()
def _segment_alone(bundle: Path, paths: Sequence[str]) -> list[Tensor]:
    """Segment volumes with the bundle's own preprocessing and weights, but the segmenter alone."""
    parser = ConfigParser(ConfigParser.load_config_file(bundle / "configs" / "inference.json"))
    names = ("network_def", "preprocessing", "inferer", "postprocessing")
    network, preprocessing, inferer, postprocessing = (parser.get_parsed_content(name) for name in names)
    load_weights(bundle / "models" / "model.pt", network, require_calibrated=True)
    segmenter = network.eval().segmenter.to(memory_format=torch.channels_last)
    results = []
    for path in paths:
        case = preprocessing({"image": path})
        case["pred"] = inferer(case["image"][None], segmenter)[0]
        results.append(torch.as_tensor(postprocessing(case)["pred"])[0].as_subclass(Tensor).long())
    return results


if __name__ == "__main__":
    main()
