from __future__ import annotations

import torch

from monai_advdefense.corruptions.compression import jpeg


def test_a_better_quality_is_nearer_slice_by_slice():
    volume = torch.rand(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    errors = [(jpeg(volume, quality=quality) - volume).norm() for quality in (1, 50, 95)]
    assert errors[0] > errors[1] > errors[2]
    torch.testing.assert_close(jpeg(volume, quality=30)[1, 1, 2], jpeg(volume[1:, 1:, 2], quality=30)[0, 0])
    even = torch.full((1, 1, 16, 16), 0.5)
    torch.testing.assert_close(jpeg(even, quality=1), even, atol=0.05, rtol=0)
