"""What the trainings of detector and reformer share: clean images alone, and an error to make small."""

from __future__ import annotations

from bundle_configs.entries import DEVICE, WEIGHTS, Entries

__all__ = ["CLEAN_IMAGES", "NILEARN", "paths", "rates", "validation_error"]

CLEAN_IMAGES = (
    "$data.malc2012_datalist(@dataset_dir, '{split}', ['image']) + data.template_datalist(@sample_dir, '{split}')"
)
# Generated brains are drawn from its template.
NILEARN = {"nilearn": "0.14.1"}


def paths() -> Entries:
    """Where things lie."""
    return {
        "dataset_dir": "data/malc2012",
        "sample_dir": "$os.path.join(@bundle_root, 'runs', 'template_samples')",
        "ckpt_path": WEIGHTS,
        "run_dir": "$os.path.join(@bundle_root, 'runs', 'train')",
    }


def rates(*, epochs: int) -> Entries:
    """How long and how fast."""
    return {
        "seed": 0,
        **DEVICE,
        "epochs": epochs,
        "val_interval": 1,
        "learning_rate": 0.001,
        "batch_size": 8,
        "every": 3,
    }


def validation_error(pairs: str) -> Entries:
    """Arguments of a training whose best weights have the smallest error; ``pairs`` gives output and target."""
    return {
        "label": False,
        "metric": {"val_mse": {"_target_": "MeanSquaredError", "output_transform": pairs}},
        "best": {"metric": "val_mse", "best": "min"},
        "evaluator": {"metric_cmp_fn": "$lambda current, best: current < best"},
    }
