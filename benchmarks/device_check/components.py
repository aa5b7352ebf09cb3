"""Scores, labels, attacks and transforms on a device, each by one function."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from monai.engines import SupervisedEvaluator
from monai.networks.nets import BasicUNet
from torch import Tensor, nn

from benchmarks.device_check.difference import difference
from monai_advdefense.attacks import dag, erase_structure, fgsm, pgd, selective_pgd
from monai_advdefense.guard import CombinedDecision, DefendedSegmenter, ReconstructionDetector, Reformer, Screen
from monai_advdefense.guard.decision import Decision
from monai_advdefense.guard.spectrum import fft_shift_magnitude
from monai_advdefense.handlers import ScoreRecorder
from monai_advdefense.inferers import GuardedSliceInferer, ScreenedSliceInferer
from monai_advdefense.transforms import DetectAdversarial, FFTShiftMagnitude, Reform

CLASSES, SIDE = 5, 64
FEATURES = (8, 8, 16, 16, 16, 8)

Check = Callable[[DefendedSegmenter, Screen, Tensor], Any]


def _unet(out_channels: int) -> nn.Module:
    return BasicUNet(2, 1, out_channels, FEATURES, norm="batch")


def random_guard(decision: Decision) -> DefendedSegmenter:
    """A guard of small networks with random weights; all its numbers are 1."""
    detector = ReconstructionDetector(_unet(1))
    guard = DefendedSegmenter(detector, Reformer(_unet(1)), _unet(CLASSES), decision=decision).eval()
    for buffer in (guard.decision.center, guard.decision.scale, guard.decision.threshold, detector.threshold):
        buffer.fill_(1.0)
    return guard


def _label(guard: DefendedSegmenter, image: Tensor) -> Tensor:
    return guard.segmenter(image).argmax(dim=1)


def _screened(guard: DefendedSegmenter, screen: Screen, image: Tensor) -> Tensor:
    inferer = ScreenedSliceInferer(roi_size=(SIDE, SIDE), sw_batch_size=2, spatial_dim=1, screen=screen)
    with torch.no_grad():
        return inferer(image.movedim(0, 2)[None], guard)


def _guarded(guard: DefendedSegmenter, _: Screen, image: Tensor) -> Tensor:
    inferer = GuardedSliceInferer(roi_size=(SIDE, SIDE), sw_batch_size=2, spatial_dim=1)
    with torch.no_grad():
        return inferer(image.movedim(0, 2)[None], guard)


def _recorded(guard: DefendedSegmenter, _: Screen, image: Tensor) -> Tensor:
    """Scores that a handler keeps while MONAI's evaluator runs."""
    scores = ScoreRecorder(guard)
    SupervisedEvaluator(
        device=image.device,
        val_data_loader=[{"image": image.movedim(0, 2)[None].cpu()}],
        network=guard,
        inferer=GuardedSliceInferer(roi_size=(SIDE, SIDE), sw_batch_size=2, spatial_dim=1),
        val_handlers=[scores],
        decollate=False,
    ).run()
    return scores.scores


def _detected(guard: DefendedSegmenter, _: Screen, image: Tensor) -> Tensor:
    scores: Tensor = DetectAdversarial(guard.detector, 1, value_range=(0, 1))(_volume(image))[0]
    return scores


def _channels_last(guard: DefendedSegmenter) -> DefendedSegmenter:
    return copy.deepcopy(guard).to(memory_format=torch.channels_last)


def _volume(image: Tensor) -> Tensor:
    """Slices ``(S, 1, H, W)`` as a volume ``(1, H, S, W)``."""
    return image[:, 0].movedim(0, 1)[None]


CHECKS: dict[str, Check] = {
    "spectrum": lambda guard, screen, image: fft_shift_magnitude(image),
    "detector": lambda guard, screen, image: guard.detector.score(image),
    "reformer": lambda guard, screen, image: guard.reformer(image),
    "guard: both scores": lambda guard, screen, image: guard.scores(image),
    "guard: decisions": lambda guard, screen, image: guard.decide(image, guard.score(image)),
    "guard: logits": lambda guard, screen, image: guard(image),
    "guard: labels": lambda guard, screen, image: guard.labels(image),
    "guard in channels-last": lambda guard, screen, image: copy.deepcopy(guard).to(memory_format=torch.channels_last)(
        image
    ),
    "inferer of the guard": _guarded,
    "inferer of the screen": _screened,
    "evaluator with ScoreRecorder": _recorded,
    "FFTShiftMagnitude": lambda guard, screen, image: FFTShiftMagnitude()(image[0]),
    "DetectAdversarial": _detected,
    "Reform": lambda guard, screen, image: Reform(guard.reformer, 1, value_range=(0, 1))(
        image[:, 0].movedim(0, 1)[None]
    ),
    "fgsm": lambda guard, screen, image: fgsm(guard.segmenter, image, _label(guard, image), epsilon=0.01).norm,
    "pgd": lambda guard, screen, image: (
        pgd(guard.segmenter, image, _label(guard, image), radius=0.5, steps=3, step_size=0.2).norm
    ),
    "selective_pgd": lambda guard, screen, image: (
        selective_pgd(guard.segmenter, image, _label(guard, image), excess=guard.excess, radius=0.5, steps=3).norm
    ),
    "dag": lambda guard, screen, image: (
        dag(
            guard.segmenter,
            image,
            _label(guard, image),
            target=_label(guard, image) * 0,
            step_size=0.1,
            steps=3,
        ).norm
    ),
    "erase_structure": lambda guard, screen, image: (
        erase_structure(guard.segmenter, image, _label(guard, image), structure=1, radius=0.5, steps=3).norm
    ),
}


def compared(device: torch.device) -> Iterator[tuple[str, float]]:
    """Name and difference of each check between the CPU and a device."""
    torch.manual_seed(0)
    guard, screen = random_guard(CombinedDecision()), Screen(CLASSES)
    image = torch.rand(6, 1, SIDE, SIDE) * (torch.arange(SIDE) > 8)
    there = copy.deepcopy(guard).to(device), copy.deepcopy(screen).to(device), image.to(device)
    for name, check in CHECKS.items():
        yield name, difference(check(guard, screen, image), check(*there))
