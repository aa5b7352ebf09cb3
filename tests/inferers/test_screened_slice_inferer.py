from __future__ import annotations

import json

import pytest
import torch
from monai.data import MetaTensor, decollate_batch, list_data_collate
from torch import Tensor, nn

from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector, Screen
from monai_advdefense.guard.causes import CAUSES
from monai_advdefense.inferers import ScreenedSliceInferer
from tests.guard.phantom_screen import CLASSES, RATE, clean_volumes, phantom

SIDE = 40


class ByIntensity(nn.Module):
    """Segments by the value of a pixel, a little unsure."""

    def forward(self, image: Tensor) -> Tensor:
        centers = torch.linspace(0, 1, CLASSES).view(1, -1, 1, 1)
        return -40 * (image - centers) ** 2


class Blurred(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return 0.7 * image + 0.3 * nn.functional.avg_pool2d(image, 3, 1, 1)


def _guard() -> DefendedSegmenter:
    return DefendedSegmenter(ReconstructionDetector(nn.Identity()), Blurred(), ByIntensity()).eval()


def _inferer(screen: Screen, batch: int = 4) -> ScreenedSliceInferer:
    return ScreenedSliceInferer(roi_size=(SIDE, SIDE), sw_batch_size=batch, spatial_dim=1, screen=screen)


def _volume(seed: int) -> Tensor:
    return phantom(seed)[0].movedim(0, 2)[None]


def _seen(screen: Screen, volume: Tensor, batch: int = 4) -> tuple[Tensor, list]:
    found: list = []
    with screen.register_forward_hook(lambda _, inputs, output: found.append((inputs, output))), torch.no_grad():
        labels = _inferer(screen, batch)(volume, _guard())
    return labels, found


@pytest.fixture(scope="module")
def screen() -> Screen:
    """Fitted on what the inferer gathers of phantoms."""
    from monai_advdefense.guard.fit_screen import CleanVolume, fit_screen

    raw, volumes = Screen(CLASSES), []
    for seed, clean in enumerate(clean_volumes()):
        (((_, numbers, native), _),) = _seen(raw, _volume(seed))[1]
        assert native is None
        volumes.append(CleanVolume(clean.image, clean.resampled, numbers, clean.resampled_prediction))
    fit_screen(raw, volumes, false_positive_rate=RATE)
    return raw


def test_the_screen_sees_each_volume_once_and_its_rejected_slices_are_marked(screen: Screen) -> None:
    volume = torch.cat([_volume(20), _volume(21) ** 2])
    volume[0, :, :, 3:5] = 0
    labels, found = _seen(screen, volume)
    assert labels.shape == (2, 1, SIDE, 30, SIDE)
    assert labels.dtype == torch.uint8
    assert [output.verdict.verdict for _, output in found] == ["clean", "reject"]
    for number, (_, output) in enumerate(found):
        marked = (labels[number, 0] == CLASSES).movedim(1, 0).flatten(1)
        assert torch.equal(marked.all(dim=1), ~output.accepted)
        assert torch.equal(marked.any(dim=1), ~output.accepted)
    with torch.no_grad():
        expected = ByIntensity()(Blurred()(volume[0].movedim(2, 0))).argmax(dim=1)
    accepted, blank = found[0][1].accepted, found[0][1].blank
    assert blank[3:5].all()
    kept = accepted & ~blank
    assert torch.equal(labels[0, 0].movedim(1, 0)[kept].long(), expected[kept])
    assert not labels[0, 0].movedim(1, 0)[blank].any()


def test_the_size_of_batches_changes_nothing(screen: Screen) -> None:
    first, second = (_seen(screen, _volume(22), batch) for batch in (1, 7))
    assert torch.equal(first[0], second[0])
    torch.testing.assert_close(first[1][0][1].score, second[1][0][1].score, rtol=1e-4, atol=1e-4)


def test_a_volume_of_nothing_is_background_and_not_checked(screen: Screen) -> None:
    labels, found = _seen(screen, torch.zeros(1, 1, SIDE, 5, SIDE))
    assert not labels.any()
    assert found[0][1].verdict.verdict == "not_checked"
    assert found[0][1].blank.all()


def test_what_does_not_fit_is_refused(screen: Screen) -> None:
    with pytest.raises(InputError, match="expected a DefendedSegmenter, found Identity"):
        _inferer(screen)(_volume(1), nn.Identity())
    with pytest.raises(InputError, match=r"expected slices of \(40, 40\), found \(38, 40\)"):
        _inferer(screen)(_volume(1)[:, :, 2:], _guard())
    with pytest.raises(InputError, match="segmenter of 7 classes, found 4"):
        _inferer(Screen(7))(_volume(1), _guard())


def test_the_verdict_of_each_volume_comes_with_its_labels(screen: Screen) -> None:
    volumes = [MetaTensor(_volume(20)[0]), MetaTensor(_volume(21)[0] ** 2)]
    with torch.no_grad():
        batch = _inferer(screen)(list_data_collate([{"image": volume} for volume in volumes])["image"], _guard())
        alone = [_inferer(screen)(volume[None], _guard())[0] for volume in volumes]
    for found in ([item["pred"] for item in decollate_batch({"pred": batch})], alone):
        told = [json.loads(labels.meta["verdict"]) for labels in found]
        assert [entries["verdict"] for entries in told] == ["clean", "reject"]
        assert told[0]["cause"] == ""
        assert told[1]["cause"] in CAUSES
        assert told[1]["rejected"] == int((found[1][0] == CLASSES).movedim(1, 0).flatten(1).any(dim=1).sum())


@pytest.mark.parametrize(("spatial_dim", "expected"), [(0, [0.5, 1.25, 2.0]), (1, [1.25, 0.5, 2.0])])
def test_the_screen_is_told_the_voxel_size_of_the_scan_whatever_its_orientation(spatial_dim, expected) -> None:
    # The scan counts from superior to inferior first, then from left to right, then to anterior.
    scan = torch.tensor([[0, 0.5, 0, 0], [0, 0, -1.25, 0], [-2.0, 0, 0, 0], [0, 0, 0, 1]], dtype=torch.float64)
    meta = {"original_affine": scan, "affine": torch.eye(4, dtype=torch.float64)}
    image = MetaTensor(torch.zeros(1, 1, SIDE, SIDE, SIDE), meta={name: value[None] for name, value in meta.items()})
    image.is_batch = True
    screen, seen = Screen(CLASSES), []
    inferer = ScreenedSliceInferer(roi_size=(SIDE, SIDE), spatial_dim=spatial_dim, screen=screen)
    with screen.register_forward_hook(lambda _, inputs, __: seen.append(inputs[2])), torch.no_grad():
        inferer(image, _guard())
    assert seen == [pytest.approx(expected)]
