"""Whether a GPU gives what the CPU gives: scores, labels, attacks and transforms, by ``make device-check``.

Without a GPU it compares the CPU with itself, which shows that the script runs and no more, and says so.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from monai.engines import SupervisedEvaluator
from monai.networks.nets import BasicUNet
from torch import Tensor, nn

from monai_advdefense.attacks import dag, erase_structure, fgsm, pgd, selective_pgd
from monai_advdefense.guard import CombinedDecision, DefendedSegmenter, ReconstructionDetector, Reformer, Screen
from monai_advdefense.guard.decision import Decision
from monai_advdefense.guard.spectrum import fft_shift_magnitude
from monai_advdefense.handlers import ScoreRecorder
from monai_advdefense.inferers import GuardedSliceInferer, ScreenedSliceInferer
from monai_advdefense.transforms import DetectAdversarial, FFTShiftMagnitude, Reform

CLASSES, SIDE = 5, 64
TOLERANCE = 1e-4
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


def _difference(one: Tensor, other: Tensor) -> float:
    """Largest difference as a share of the largest value; of labels and decisions the share that differ."""
    one, other = torch.as_tensor(one).detach().cpu(), torch.as_tensor(other).detach().cpu()
    if not one.is_floating_point():
        return float((one != other).double().mean())
    return float((one - other).abs().max() / one.abs().max().clamp_min(1e-6))


def compared(device: torch.device) -> Iterator[tuple[str, float]]:
    """Name and difference of each check between the CPU and a device."""
    torch.manual_seed(0)
    guard, screen = random_guard(CombinedDecision()), Screen(CLASSES)
    image = torch.rand(6, 1, SIDE, SIDE) * (torch.arange(SIDE) > 8)
    there = copy.deepcopy(guard).to(device), copy.deepcopy(screen).to(device), image.to(device)
    for name, check in CHECKS.items():
        yield name, _difference(check(guard, screen, image), check(*there))


def _measure(device: torch.device) -> None:
    """Time and memory of a volume of 256 slices of 256 x 256, with autocast and without."""
    guard, image = random_guard(CombinedDecision()).to(device), torch.rand(256, 1, 256, 256, device=device)
    for name, enabled in {"float32": False, "autocast": True}.items():
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
        start = time.perf_counter()
        with torch.no_grad(), torch.autocast(device.type, enabled=enabled):
            for batch in image.split(16):
                guard.labels(batch)
        torch.cuda.synchronize()
        seconds, peak = time.perf_counter() - start, torch.cuda.max_memory_allocated() / 2**30
        print(f"| volume of 256^3, {name} | {seconds:.2f} s, {peak:.2f} GiB |")


def main() -> None:
    """Print the table; exit with 1 if a device differs."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        print("no GPU here: the CPU is compared with itself, which only shows that the checks run")
    # Reduced precision of matrix products would be seen as a difference.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    print(f"| {device} against the CPU | largest difference |\n| --- | --- |")
    differ = []
    for name, difference in compared(device):
        print(f"| {name} | {difference:.1e} |")
        differ += [name] if not difference <= TOLERANCE else []
    if device.type == "cuda":
        _measure(device)
    if differ:
        raise SystemExit(f"differ by more than {TOLERANCE}: {', '.join(differ)}")


if __name__ == "__main__":
    main()
