import pytest
import torch
from ignite.metrics import Accuracy
from monai.metrics import DiceMetric
from torch import nn

from monai_advdefense.guard import ReconstructionDetector
from monai_advdefense.metrics.accepted import accepted_pairs, accepted_slices, detector_decisions

REJECTED = 3
SLICES = 5


@pytest.fixture
def volume():
    """Slices along the second axis: 0 is blank, 2 and 4 are rejected."""
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 6, SLICES, 7, generator=generator)
    image[:, :, 0] = 0
    pred, label = torch.randint(REJECTED, (2, 1, 6, SLICES, 7), generator=generator)
    pred[:, :, [2, 4]] = REJECTED
    return {"image": image, "pred": pred, "label": label}


def test_dice_of_the_pairs_is_that_of_the_accepted_slices(volume):
    def dice(pairs):
        metric = DiceMetric(include_background=False, num_classes=REJECTED)
        metric(*pairs)
        return metric.aggregate().item()

    kept = [[volume[key][:, :, [0, 1, 3]]] for key in ("pred", "label")]
    assert dice(accepted_pairs([volume], REJECTED)) == pytest.approx(dice(kept))


def test_coverage_is_the_share_of_slices_that_are_neither_blank_nor_rejected(volume):
    coverage = Accuracy()
    coverage.update(accepted_slices([volume], REJECTED, slice_dim=1))
    assert coverage.compute() == pytest.approx(2 / 4)
    everything = {**volume, "pred": torch.zeros_like(volume["pred"])}
    coverage.update(accepted_slices([everything], REJECTED, slice_dim=1))
    assert coverage.compute() == pytest.approx((2 + 4) / 8)


def test_slices_may_lie_along_another_axis(volume):
    turned = {key: value.movedim(2, 3) for key, value in volume.items()}
    accepted, _ = accepted_slices([turned], REJECTED, slice_dim=2)
    assert accepted.tolist() == [1, 0, 1, 0]


def test_decisions_of_a_detector_are_its_own():
    torch.manual_seed(0)
    detector = ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1))
    image = torch.rand(6, 1, 8, 8) * torch.linspace(0, 1, 6).reshape(-1, 1, 1, 1)
    with torch.no_grad():
        detector.threshold.fill_(detector.score(image).median())
        output = [{"image": i, "pred": p} for i, p in zip(image, detector(image), strict=True)]
        accepted, expected = detector_decisions(output, detector)
        assert accepted.tolist() == detector.accept(image).long().tolist()
    assert 0 < accepted.sum() < len(image)
    assert expected.tolist() == [1] * len(image)


def test_a_slice_with_one_rejected_voxel_is_rejected(volume):
    volume["pred"][0, 3, 1, 3] = REJECTED
    accepted, _ = accepted_slices([volume], REJECTED, slice_dim=1)
    assert accepted.tolist() == [0, 0, 1, 0]
