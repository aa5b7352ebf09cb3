import torch

from monai_advdefense.metrics import certified_counts, dice_from_counts, overlap_counts


def _case():
    generator = torch.Generator().manual_seed(0)
    prediction, label = (torch.randint(4, (3, 9, 9), generator=generator) for _ in range(2))
    return prediction, torch.rand(3, 9, 9, generator=generator), label


def test_counts_are_those_of_pixel_by_pixel_counting():
    prediction, radius, label = _case()
    counts = certified_counts(prediction, radius, label, at=0.5, num_classes=4)
    for sample in range(3):
        for cls in range(4):
            triples = zip(prediction[sample].flatten(), radius[sample].flatten(), label[sample].flatten(), strict=True)
            pixels = [(p == cls and r >= 0.5, t == cls) for p, r, t in triples]
            assert counts[sample, cls].tolist() == [
                sum(bool(claimed and true) for claimed, true in pixels),
                sum(bool(claimed) for claimed, _ in pixels),
                sum(bool(true) for _, true in pixels),
            ]


def test_with_all_pixels_certified_it_is_the_dice_and_with_none_zero():
    prediction, radius, label = _case()
    everywhere = certified_counts(prediction, radius + 1, label, at=0.5, num_classes=4)
    assert torch.equal(everywhere, overlap_counts(prediction, label, 4))
    nowhere = certified_counts(prediction, radius, label, at=2.0, num_classes=4)
    assert (dice_from_counts(nowhere) == 0).all()
