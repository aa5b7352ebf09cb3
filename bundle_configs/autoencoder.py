"""What detector and reformer share: trainings on clean images alone with an error to make small, and thresholds."""

from __future__ import annotations

from bundle_configs.components import Entries, component, handler
from bundle_configs.entries import WEIGHTS

__all__ = ["CLEAN_IMAGES", "NILEARN", "calibrate_network", "paths", "validation_error"]

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


def calibrate_network(name: str) -> Entries:
    """Handler that sets a threshold of the network and stores it with the weights."""
    return handler(name, network="@network", save_path="@ckpt_path", false_positive_rate="@false_positive_rate")


def validation_error(pairs: str) -> Entries:
    """Arguments of a training whose best weights have the smallest error; ``pairs`` gives output and target."""
    return {
        "label": False,
        "metric": {"val_mse": component("MeanSquaredError", output_transform=pairs)},
        "best": {"metric": "val_mse", "best": "min"},
        "evaluator": {"metric_cmp_fn": "$lambda current, best: current < best"},
    }
