"""Defended inference of one volume, part by part, beside the bare forward passes of its networks."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser
from monai.inferers import SliceInferer
from monai.transforms import Invertd
from torch import Tensor

from benchmarks.table import Row

__all__ = ["EXPLANATION", "SPECTRAL", "measure", "preprocessed"]

EXPLANATION = (
    "One sample brain, with the transforms, the inferer and the handlers of the composite bundle's inference.json: a "
    "screen judges the volume, the default. *Total* is what happens between the preprocessed volume and the labels in "
    "the input grid: the inferer (reformer, the segmenter twice, scores of image and predictions, decision, labels; "
    "scores recorded) and the postprocessing. Load and save are listed apart; all three together are the seconds that "
    "a volume takes. The baseline is the sum of the bare forward passes of the networks that run, each on its own "
    "input, over the same slices in the same batches. Beside them runs the plain path: MONAI's `SliceInferer` with the "
    "guard as it is, the combined score and with it the detector, then the largest of the stitched logits and MONAI's "
    "`Invertd`. All take turns; medians over {repeats} turns, after one that is not counted. No bar was set."
)
SPECTRAL = (
    "The same with the overlay spectral.json: the guard decides by the spectral score alone, without the second pass "
    "through the segmenter, which baseline and plain path do not have either."
)
_BAR = 1.20
_PLAIN = "plain path: inferer and postprocessing"
_LOAD, _INFERER, _POST, _SAVE = "load: ", "inferer", "postprocessing: ", "save: "

_Times = dict[str, list[float]]


def preprocessed(parser: ConfigParser, path: str) -> Tensor:
    """Volume ``(1, X, Y, Z)`` as the networks' inferer gets it."""
    return parser.get_parsed_content("preprocessing")({"image": path})["image"].as_tensor()


def measure(parser: ConfigParser, path: str, *, repeats: int) -> list[Row]:
    """Rows for the volume at ``path``, below the dataset_dir of ``parser``."""
    times: _Times = defaultdict(list)
    engine = _engine(parser, times)
    for _ in range(repeats + 1):
        engine.run([path])
        image = engine.state.output[0]["image"].as_tensor()
        _bare(parser, image, times)
        _plain(parser, engine.state.output[0]["image"], times)
    bar = None if _passes_twice(parser) else _BAR
    part = {name: median(seconds[1:]) for name, seconds in times.items()}
    bare = sum(seconds for name, seconds in part.items() if name.startswith("bare"))
    post = sum(seconds for name, seconds in part.items() if name.startswith(_POST))
    shape = engine.state.output[0]["image"].shape[1:]
    return [
        *(Row(name, seconds, unit=" s") for name, seconds in part.items()),
        Row(f"bare forward passes together ({shape[1]} slices)", bare, unit=" s"),
        Row("total: inferer and postprocessing", part[_INFERER] + post, unit=" s"),
        Row("inferer alone: ratio to the bare forward passes", part[_INFERER] / bare),
        Row("total: ratio to the bare forward passes", (part[_INFERER] + post) / bare, bar),
        Row("plain path: times as long as the total", part[_PLAIN] / (part[_INFERER] + post)),
    ]


def _engine(parser: ConfigParser, times: _Times) -> Engine:
    """Engine whose step is the bundle's, with a clock at each part; the handlers run as in the bundle."""
    network = parser.get_parsed_content("network")
    before, after = (parser.get_parsed_content(f"{name}processing").transforms for name in ("pre", "post"))

    @torch.no_grad()
    def step(engine: Any, path: str) -> list[dict[str, Any]]:
        data: dict[str, Any] = {"image": path}
        for transform in before:
            with _clock(times, _LOAD + type(transform).__name__):
                data = transform(data)
        with _clock(times, _INFERER):
            data["pred"] = engine.inferer(data["image"][None], network)[0]
        for transform in after:
            with _clock(times, _POST + type(transform).__name__):
                data = transform(data)
        return [data]

    engine: Any = Engine(step)
    engine.inferer = parser.get_parsed_content("inferer")
    for handler in parser.get_parsed_content("handlers"):
        name = type(handler).__name__
        if name == "ScoreRecorder":
            handler.attach(engine)
        elif name.endswith("Writer"):
            started: list[float] = []
            engine.add_event_handler(Events.ITERATION_COMPLETED, _start(started))
            handler.attach(engine)
            engine.add_event_handler(Events.ITERATION_COMPLETED, _stop(started, times, _SAVE + name))
    return engine


def _start(started: list[float]) -> Callable[[Engine], None]:
    return lambda _: started.append(time.perf_counter())


def _stop(started: list[float], times: _Times, name: str) -> Callable[[Engine], None]:
    return lambda _: times[name].append(time.perf_counter() - started.pop())


def _is_screened(parser: ConfigParser) -> bool:
    return parser.get_parsed_content("screen") is not None


def _passes_twice(parser: ConfigParser) -> bool:
    """Whether the segmenter sees the image as well as the reformed one."""
    return _is_screened(parser) or bool(parser.get_parsed_content("network").decision.uses_divergence)


@torch.no_grad()
def _plain(parser: ConfigParser, volume: Tensor, times: _Times) -> None:
    """Time labels of stitched logits brought back by MONAI, without folded normalization, windows and indices."""
    own = parser.get_parsed_content("inferer")
    inferer = SliceInferer(roi_size=own.orig_roi_size, sw_batch_size=own.sw_batch_size, spatial_dim=own.spatial_dim)
    preprocessing, network = parser.get_parsed_content("preprocessing"), parser.get_parsed_content("network")
    invert = Invertd("pred", preprocessing, "image", nearest_interp=True, to_tensor=True)
    with _clock(times, _PLAIN):
        labels = inferer(volume[None], network)[0].argmax(dim=0, keepdim=True).float()
        invert({"image": volume, "pred": labels})


@torch.no_grad()
def _bare(parser: ConfigParser, volume: Tensor, times: _Times) -> None:
    """Time each network on its own input over the slices of ``volume``."""
    guard, inferer = parser.get_parsed_content("network"), parser.get_parsed_content("inferer")
    batches = volume.movedim(inferer.spatial_dim + 1, 0).contiguous().split(inferer.sw_batch_size)
    screened = _is_screened(parser)
    spectra = [] if screened else [guard.detector.represent(batch) for batch in batches]
    reformed = [guard.reformer(batch) for batch in batches]
    for name, network, inputs in (
        *([] if screened else [("detector", guard.detector.network, spectra)]),
        ("reformer", guard.reformer.network, batches),
        ("segmenter", guard.segmenter, reformed),
        *([("segmenter on the unreformed slices", guard.segmenter, batches)] if _passes_twice(parser) else []),
    ):
        with _clock(times, f"bare forward passes: {name}"):
            for batch in inputs:
                network(batch)


@contextmanager
def _clock(times: _Times, name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    times[name].append(time.perf_counter() - start)
