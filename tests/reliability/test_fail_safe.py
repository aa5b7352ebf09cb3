"""Whatever fails, a volume is not called clean: it is not checked, or the run says so."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector, Screen
from monai_advdefense.inferers import ScreenedSliceInferer
from tests.guard.phantom_screen import phantom

SCREEN = Path(__file__).parents[2] / "bundles/brain_mri_defended_segmentation/models/screen/model.pt"
SIDE, CLASSES = 40, 28


class _Segmenter(nn.Module):
    """By intensity; ``spoil`` changes its logits."""

    def __init__(self, spoil=lambda logits: logits):
        super().__init__()
        self.spoil = spoil

    def forward(self, image: Tensor) -> Tensor:
        return self.spoil(-40 * (image[:, :1] - torch.linspace(0, 1, CLASSES).view(1, -1, 1, 1)) ** 2)


def _volume():
    """Every third slice of a phantom."""
    return phantom(0)[0][::3].movedim(0, 2)[None].clone()


def _raise(error):
    def spoil(logits):
        raise error

    return spoil


def _one(value):
    def spoil(logits):
        changed = logits.clone()
        changed[0, 1, 20, 20] = value
        return changed

    return spoil


@pytest.fixture(scope="module")
def lenient_state():
    """The shipped screen, made so lenient that whatever has finite scores is clean."""
    state = torch.load(SCREEN, weights_only=True)
    for name, value in state.items():
        if name.endswith("smallest_area"):
            value.fill_(1.0)
    state["threshold"].fill_(1e30)
    state["reference.scale"].fill_(1e30)
    return state


def _verdict(state, *, segmenter=None, image=None, change=None):
    screen = Screen(CLASSES)
    screen.load_state_dict(state)
    if change:
        change(screen)
    seen = []
    screen.register_forward_hook(lambda module, inputs, found: seen.append(found))
    guard = DefendedSegmenter(ReconstructionDetector(nn.Identity()), nn.Identity(), segmenter or _Segmenter()).eval()
    inferer = ScreenedSliceInferer(roi_size=(SIDE, SIDE), sw_batch_size=4, spatial_dim=1, screen=screen)
    volume = _volume() if image is None else image
    with torch.no_grad():
        labels = inferer(volume, guard)
    (found,) = seen
    return found, labels


def _spoilt_image(value):
    volume = _volume()
    volume[0, 0, 20, 5, 20] = value
    return volume


def _fill(name, value):
    return lambda screen: screen.get_buffer(name).fill_(value)


def _lose_scores(screen):
    for buffer in screen.typicality.buffers():
        if buffer.is_floating_point():
            buffer.fill_(math.nan)


NOT_CHECKED = {
    "NaN in the image": {"image": lambda: _spoilt_image(math.nan)},
    "infinity in the image": {"image": lambda: _spoilt_image(math.inf)},
    "NaN in the logits": {"segmenter": _Segmenter(_one(math.nan))},
    "infinity in the logits": {"segmenter": _Segmenter(_one(math.inf))},
    "no threshold": {"change": _fill("threshold", math.nan)},
    "no clean subjects": {"change": _fill("reference.count", 0)},
    "broken weights of the scores": {"change": _lose_scores},
    "broken statistics of clean volumes": {"change": _fill("reference.center", math.nan)},
}
ENDS = {
    "the segmenter fails": ({"segmenter": _Segmenter(_raise(RuntimeError("defect")))}, RuntimeError),
    "out of memory": ({"segmenter": _Segmenter(_raise(torch.OutOfMemoryError("no memory")))}, torch.OutOfMemoryError),
    "time is up": ({"segmenter": _Segmenter(_raise(TimeoutError()))}, TimeoutError),
    "other classes": ({"segmenter": _Segmenter(lambda logits: logits[:, :2])}, InputError),
    "other channels": ({"image": lambda: _volume().repeat(1, 2, 1, 1, 1)}, InputError),
}


def _made(fault):
    return {name: value() if name == "image" else value for name, value in fault.items()}


def test_without_a_fault_this_calibration_calls_everything_clean(lenient_state):
    found, labels = _verdict(lenient_state)
    assert found.verdict.verdict == "clean"
    assert (labels < CLASSES).all()


def test_no_fault_is_called_clean(lenient_state, figure):
    for name, fault in NOT_CHECKED.items():
        found, labels = _verdict(lenient_state, **_made(fault))
        assert found.verdict.verdict == "not_checked", name
        assert (labels == CLASSES).any() or "scores" in name or "clean" in name, name
    for fault, error in ENDS.values():
        with pytest.raises(error):
            _verdict(lenient_state, **_made(fault))
    total = len(NOT_CHECKED) + len(ENDS)
    figure(
        f"{total} of {total} injected faults: {len(NOT_CHECKED)} not checked, {len(ENDS)} end with an error, 0 clean"
    )
