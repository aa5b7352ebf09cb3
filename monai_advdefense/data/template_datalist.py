"""Datalists of generated sample brains, and which seed belongs to which split."""

from __future__ import annotations

from pathlib import Path

from monai_advdefense.messages import broken_rule

__all__ = ["SPLIT_SEEDS", "sample_paths", "split_seeds", "template_datalist"]

# No seed is in two splits, so no brain of a test was seen before.
SPLIT_SEEDS = {
    "train": range(0, 700),
    "validation": range(700, 800),
    "calibration": range(800, 900),
    "test": range(900, 1000),
}


def template_datalist(folder: str | Path | None, split: str) -> list[dict[str, str]]:
    """Cases of one split: ``image``, ``tissue``, ``subject`` and ``domain`` of each sample, by seed.

    Args:
        folder: as given to :func:`write_template_samples`; None for no samples at all, where other images than such
            brains are guarded.
        split: ``train``, ``validation``, ``calibration`` or ``test``.

    Raises:
        InputError: if the split is unknown or a file is missing.
    """
    seeds = split_seeds(split)
    if folder is None:
        return []
    cases = []
    for seed in seeds:
        image, tissue = sample_paths(Path(folder), seed)
        if not image.is_file():
            continue
        if not tissue.is_file():
            raise broken_rule(tissue, f"a file beside {image}", "none", "write the samples again")
        cases.append(
            {"image": str(image), "tissue": str(tissue), "subject": f"sample_{seed:03d}", "domain": "template"}
        )
    if not cases:
        command = f"monai_advdefense.data.template_sample --output_dir {folder} --split {split} --count N"
        raise broken_rule(
            folder, f"template samples of split {split!r}", "none", f"write some with python -m {command}"
        )
    return cases


def split_seeds(split: str) -> range:
    """Seeds of a split."""
    if split not in SPLIT_SEEDS:
        raise broken_rule("split", f"one of {', '.join(SPLIT_SEEDS)}", f"{split!r}", "choose one of them")
    return SPLIT_SEEDS[split]


def sample_paths(folder: Path, seed: int) -> tuple[Path, Path]:
    """Image and tissue file of one seed."""
    name = f"sample_{seed:03d}.nii.gz"
    return folder / "images" / name, folder / "tissue" / name
