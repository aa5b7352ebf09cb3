"""inference.json: volumes in, results on their own grids out."""

from __future__ import annotations

from typing import Any

from bundle_configs.components import Entries, component, compose, handler, loader, own, references, same
from bundle_configs.entries import (
    BUNDLE_ROOT,
    CHECK_OVERRIDES,
    DEVICE,
    EVAL_DIR,
    IMPORTS,
    OUTPUTS,
    RESULTS,
    SLICES,
    WEIGHTS,
)
from bundle_configs.networks import FEATURES, NETWORK
from bundle_configs.preprocessing import volume_transforms

__all__ = ["END_RUN", "PROGRESS", "inference", "invert", "load_weights", "slice_inferer", "write_volume"]

PROGRESS = {"progress": handler("VolumeProgress", run_log="@run_log")}
END_RUN = {
    "mark_done": handler("MarkDone", **same("manifest", "run_log")),
    "end_run": handler("EndRun", **same("run_log", "manifest")),
}


def inference(
    network_def: Entries,
    *,
    handlers: Entries,
    settings: Entries | None = None,
    inferer: Entries | None = None,
    networks: Entries | None = None,
    weights: tuple[str, ...] = (),
    postprocessing: Entries | None = None,
) -> Entries:
    """The configuration.

    Args:
        network_def: definition of the network.
        handlers: handlers of the evaluator by name, in their order.
        settings: further values that users set.
        networks: further entries behind the network.
        weights: entries that tell further files with weights.
        inferer: what passes the slices of a volume through the network; None is MONAI's.
        postprocessing: transforms of the output by name, in their order.
    """
    before, after = volume_transforms(label=False), postprocessing or {}
    arguments: Entries = component(
        "SupervisedEvaluator",
        device="@device",
        val_data_loader="@dataloader",
        **same("network", "inferer", *(["postprocessing"] if after else [])),
        val_handlers="@handlers",
    )
    return {
        "imports": IMPORTS,
        **BUNDLE_ROOT,
        "dataset_dir": "data",
        **EVAL_DIR,
        "resume": True,
        "shard": "1/1",
        "ckpt_path": WEIGHTS,
        **DEVICE,
        **SLICES,
        **(settings or {}),
        **FEATURES,
        "network_def": network_def,
        **NETWORK,
        **(networks or {}),
        **before,
        "preprocessing": compose(before),
        "outputs": OUTPUTS,
        "run_log": own("runs.RunLog"),
        "manifest": {**_MANIFEST, "weights": ["@ckpt_path", *references(weights)]},
        "dataset": _VOLUMES,
        "dataloader": loader("@dataset", 1),
        "inferer": inferer or slice_inferer(2),
        **({**after, "postprocessing": compose(after)} if after else {}),
        **PROGRESS,
        **handlers,
        "handlers": references([*PROGRESS, *handlers]),
        "evaluator": arguments,
        "initialize": [CHECK_OVERRIDES],
        "run": ["$@evaluator.run()"],
    }


_VOLUMES = own(
    "data.VolumeDataset",
    data="@dataset_dir",
    transform="@preprocessing",
    exclude="@output_dir",
    **same("slice_size", "slice_dim", "run_log", "manifest"),
)
_MANIFEST = own(
    "runs.Manifest",
    outputs="@outputs",
    config=own("bundle_tools.current_config.current_config"),
    **same("shard", "resume"),
)


def slice_inferer(batch_size: int) -> Entries:
    """Passes the slices of a volume through a 2-D network."""
    return component("SliceInferer", roi_size="@slice_size", sw_batch_size=batch_size, spatial_dim="@slice_dim")


def invert(key: str | list[str], *, nearest: bool) -> Entries:
    """Back on the grid of the input."""
    return component(
        "Invertd", keys=key, transform="@preprocessing", orig_keys="image", nearest_interp=nearest, to_tensor=True
    )


def load_weights(path: str = "@ckpt_path", **arguments: Any) -> Entries:
    """Handler that loads the weights; ``require_calibrated`` refuses a guard without a threshold."""
    return handler("StrictCheckpointLoader", load_path=path, network="@network", **arguments)


def write_volume(**arguments: Any) -> Entries:
    """Handler that writes each result on the grid of its input."""
    return handler("VolumeWriter", **RESULTS, **arguments)
