"""Networks of the bundles."""

from __future__ import annotations

from bundle_configs.components import Entries, component, own

__all__ = ["DEFENDED_SEGMENTER", "DETECTOR", "FEATURES", "NETWORK", "REFORMER", "SEGMENTER", "unet"]

FEATURES = {"features": [16, 16, 32, 64, 128, 16]}
NETWORK = {"network": "$@network_def.to(@device, memory_format=torch.channels_last)"}


def unet(out_channels: int | str) -> Entries:
    """A 2-D U-Net of one channel."""
    return component(
        "BasicUNet", spatial_dims=2, in_channels=1, out_channels=out_channels, features="@features", norm="batch"
    )


SEGMENTER = unet("@num_classes")
DETECTOR = own("guard.ReconstructionDetector", network=unet(1), domain="spectrum", shift=True, log=True)
REFORMER = own("guard.Reformer", network=unet(1))
DEFENDED_SEGMENTER = own(
    "guard.DefendedSegmenter",
    decision=own("guard.CombinedDecision"),
    detector=DETECTOR,
    reformer=REFORMER,
    segmenter=SEGMENTER,
)
