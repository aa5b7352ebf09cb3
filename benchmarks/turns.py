"""Segment one volume again and again on demand, by the code and the bundle of the checkout on the path.

Run as a script in a process of its own, by :mod:`benchmarks.release`: it must run in an earlier release too.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser


def main(checkout: str, volume: str) -> None:
    """Answer each line on stdin, a file to write the labels to, by seconds of wall clock and processor, in JSON."""
    from benchmarks.composite import composite  # that of the checkout

    folder = Path(volume).parent
    bundle = Path(checkout, "bundles", "brain_mri_defended_segmentation")
    parser = composite(bundle, folder, folder / "output")
    data = parser.get_parsed_content("preprocessing")({"image": volume})
    print("ready", flush=True)
    for line in sys.stdin:
        start = _clock()
        labels = _segmented(parser, data)
        seconds = [after - before for before, after in zip(start, _clock(), strict=True)]
        torch.save(torch.as_tensor(labels).to(torch.int16).clone(), line.strip())
        print(json.dumps(seconds), flush=True)


@torch.no_grad()
def _segmented(parser: ConfigParser, data: dict[str, Any]) -> Any:
    """Labels on the grid of the input: what lies between preprocessing and writing."""
    inferer, network = parser.get_parsed_content("inferer"), parser.get_parsed_content("network")
    output = inferer(data["image"][None], network)[0]
    return parser.get_parsed_content("postprocessing")({**data, "pred": output})["pred"].as_tensor()


def _clock() -> tuple[float, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(*sys.argv[1:])
