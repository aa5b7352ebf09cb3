from __future__ import annotations

import pytest
import torch

from monai_advdefense.attacks.quality import mean_dice, quality_of, right_pixels
from monai_advdefense.attacks.task import Outputs, make_task
from monai_advdefense.metrics import overlap_counts


def test_mean_dice_is_that_of_a_plain_loop_also_where_logits_tie():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 5, 12, 11, generator=generator).round()  # many ties: the first of equal ones counts
    label = torch.randint(5, (4, 12, 11), generator=generator)
    label[0][label[0] == 3] = 0
    found = mean_dice(logits, label, label)
    for image in range(4):
        predicted = torch.from_numpy(logits[image].numpy().argmax(0))
        dice = []
        for structure in range(1, 5):
            true, said = label[image] == structure, predicted == structure
            if true.any():
                dice.append(2 * int((true & said).sum()) / int(true.sum() + said.sum()))
        assert float(found[image]) == pytest.approx(sum(dice) / len(dice))
    counts = overlap_counts(logits.argmax(1), label, 5)[:, 1:].double()
    torch.testing.assert_close(found[1], (2 * counts[1, :, 0] / counts[1, :, 1:].sum(1)).mean())


def test_an_image_without_structures_has_nothing_to_lose():
    task = make_task(
        torch.nn.Identity(),
        torch.zeros(2, 1, 4),
        torch.tensor([[0, 0, 0, 0], [0, 1, 1, 0]]),
        mask=None,
        include_background=False,
        outputs=Outputs(),
    )
    logits = torch.stack([torch.zeros(2, 4), torch.tensor([0.0, 1, -1, 0])[None].expand(2, 4)], 1)
    for quality, expected in ((mean_dice, [1, 2 / 3]), (right_pixels, [1, 0.5]), (None, [1, 0.5])):
        torch.testing.assert_close(quality_of(task, logits, quality), torch.tensor(expected, dtype=torch.float64))


def test_structures_of_a_sigmoid_count_alike():
    label = torch.tensor([[[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]]])
    outputs = Outputs("sigmoid")
    options = {"mask": None, "include_background": False, "outputs": outputs}
    task = make_task(torch.nn.Identity(), torch.zeros(1, 1, 4), label, **options)
    found = torch.tensor([[[1.0, 1, -1, -1], [-1, -1, -1, -1], [-1, -1, -1, -1]]])
    rows = torch.stack([torch.zeros_like(found), found], 2).flatten(0, 1)
    torch.testing.assert_close(quality_of(task, rows, mean_dice), torch.tensor([(2 / 3 + 0) / 2], dtype=torch.float64))
    torch.testing.assert_close(quality_of(task, rows, None), torch.tensor([2 / 5], dtype=torch.float64))
