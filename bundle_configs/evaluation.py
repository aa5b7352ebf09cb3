"""evaluate.json, over train.json: figures of the test split."""

from __future__ import annotations

from typing import Any

from bundle_configs.components import Entries, component, references
from bundle_configs.entries import EVAL_DIR, OUTPUTS
from bundle_configs.inference import slice_inferer
from bundle_configs.training import RUN_VALIDATION

__all__ = ["evaluate_slices", "evaluate_volumes", "test_handlers"]


def test_handlers(load: Entries, **saved: Any) -> Entries:
    """Entries of the handlers, and the list of them.

    ``load`` loads the weights. It stands in the list itself: MONAI's client of federated learning finds it there and
    leaves it out.
    """
    handlers = {
        "outputs": OUTPUTS,
        "save_metrics": component("MetricsSaver", save_dir="@output_dir", metrics="*", **saved),
    }
    order = [load, *references(["outputs", "print_metrics", "save_metrics"])]
    return {**handlers, "validate#handlers": order, **RUN_VALIDATION}


def evaluate_slices(load: Entries) -> Entries:
    """Every slice of the test split, images alone."""
    return {
        **EVAL_DIR,
        "validate#dataset#data": "$data.malc2012_datalist(@dataset_dir, 'test', ['image'])",
        "validate#dataset#every": 1,
        **test_handlers(load),
    }


def evaluate_volumes(load: Entries, pairs: str) -> Entries:
    """Dice of each class over whole volumes; ``pairs`` gives prediction and label from the output of the evaluator."""
    volumes = (
        "$data.load_volumes(data.malc2012_datalist(@dataset_dir, 'test'), @validate#preprocessing, "
        "slice_size=@slice_size, slice_dim=@slice_dim)"
    )
    dice = component("MeanDice", include_background=False, num_classes="@num_classes", output_transform=pairs)
    saved = {
        "metric_details": ["val_mean_dice"],
        "batch_transform": "$lambda batch: [item['image'].meta for item in batch]",
        "summary_ops": "*",
    }
    return {
        **EVAL_DIR,
        "validate#dataset": component("Dataset", data=volumes),
        "validate#dataloader#batch_size": 1,
        "validate#inferer": slice_inferer(4),
        "discretize": component("AsDiscreted", keys="pred", argmax=True),
        "validate#key_metric": {"val_mean_dice": dice},
        **test_handlers(load, **saved),
    }
