"""Measure speed and memory, print the table and keep it in docs/performance.md."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import certified, dag, inference, memory, release, throughput
from benchmarks.composite import composite
from benchmarks.table import Row, page
from monai_advdefense.data.template_sample import write_template_samples
from monai_advdefense.errors import InputError, exit_on_error

_CHECKOUT = Path(__file__).resolve().parents[1]
_SEED = 900
_BATCH = 8


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Measure speed and memory of attack and guard, print the table and write it to a file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    bundle = _CHECKOUT / "bundles" / "brain_mri_defended_segmentation"
    parser.add_argument("--bundle_root", type=Path, default=bundle, help="bundle of the defended segmenter")
    parser.add_argument("--output", type=Path, default=_CHECKOUT / "docs" / "performance.md", help="file to write")
    parser.add_argument("--repeats", type=int, default=5, help="turns that are counted")
    parser.add_argument("--steps", type=int, default=20, help="steps of the attack")
    parser.add_argument("--volumes", type=int, default=10, help="volumes in the run whose memory is measured")
    parser.add_argument("--baseline", type=Path, help="checkout of an earlier release, to measure beside")
    options = parser.parse_args(arguments)
    for name in ("repeats", "steps", "volumes"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name}: expected at least 1, found {getattr(options, name)}: choose a higher number")
    if not Path("/proc/self/status").is_file():
        raise InputError("/proc/self/status: expected it for the peak memory, found no such file: run this on Linux")
    given = {name: getattr(options, name) for name in ("repeats", "steps", "volumes")}
    changed = [f" --{name} {value}" for name, value in given.items() if value != parser.get_default(name)]
    changed += [f" --baseline CHECKOUT_OF_{release.commit_of(options.baseline)}"] if options.baseline else []
    command = "python -m benchmarks" + "".join(changed)
    sections = _beside(options.baseline, options.repeats) if options.baseline else {}
    text = page({**sections, **_sections(options.bundle_root.resolve(), **given)}, command)
    print(text)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text, encoding="utf-8")


def _beside(baseline: Path, repeats: int) -> dict[str, tuple[str, list[Row]]]:
    """What is measured beside an earlier release, by title."""
    with tempfile.TemporaryDirectory() as folder:
        [sample] = write_template_samples(folder, 1, first_seed=_SEED)
        print("an earlier release ...", flush=True)
        rows = release.measure(baseline.resolve(), sample, repeats=repeats)
    print(*rows, sep="\n", flush=True)
    return {
        "Beside an earlier release": (
            release.EXPLANATION.format(commit=release.commit_of(baseline), repeats=repeats),
            rows,
        )
    }


def _sections(bundle_root: Path, *, repeats: int, steps: int, volumes: int) -> dict[str, tuple[str, list[Row]]]:
    """All measurements, by title."""
    with tempfile.TemporaryDirectory() as folder:
        # Weights that cannot be used are found before the minutes that the rest takes.
        parser, spectral = (
            composite(bundle_root, Path(folder, "images"), Path(folder, "output"), *overlays)
            for overlays in ([], ["spectral"])
        )
        [sample] = write_template_samples(folder, 1, first_seed=_SEED)
        print("peak memory ...", flush=True)
        peak = memory.measure(bundle_root, sample, volumes=volumes)
        print("throughput ...", flush=True)
        shared = throughput.measure(bundle_root, sample, volumes=volumes)
        print("defended inference ...", flush=True)
        alone = inference.measure(spectral, str(sample), repeats=repeats)
        combined = inference.measure(parser, str(sample), repeats=repeats)
        print("DAG ...", flush=True)
        volume = inference.preprocessed(parser, str(sample))
        first = (volume.shape[2] - _BATCH) // 2
        slices = volume[:, :, first : first + _BATCH].movedim(2, 0).contiguous()
        segmenter = parser.get_parsed_content("network").segmenter
        attack = dag.measure(segmenter, slices, repeats=repeats, steps=steps)
        print("certified labels ...", flush=True)
        votes = certified.measure(parser.get_parsed_content("network"), slices[:1], repeats=repeats)
    return {
        "Defended inference of one volume": (inference.EXPLANATION.format(repeats=repeats), combined),
        "With the spectral score alone": (inference.SPECTRAL, alone),
        "Peak memory": (memory.EXPLANATION.format(volumes=volumes), peak),
        "Two processes": (throughput.EXPLANATION.format(volumes=volumes), shared),
        "Certified labels": (certified.EXPLANATION.format(repeats=repeats), votes),
        "DAG": (dag.EXPLANATION.format(batch=_BATCH, steps=steps, repeats=repeats), attack),
    }


if __name__ == "__main__":
    main()
