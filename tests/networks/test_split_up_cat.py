from __future__ import annotations

import pytest
import torch
from monai.networks.nets.basic_unet import UpCat

from monai_advdefense.networks.split_up_cat import SplitUpCat


@pytest.mark.parametrize("shape", [(8, 8), (9, 8), (9, 9), (6, 7, 9)])
@pytest.mark.parametrize("upsample", ["deconv", "pixelshuffle", "nontrainable"])
def test_output_and_gradients_are_those_of_the_block(shape, upsample):
    torch.manual_seed(0)
    dims = len(shape)
    block = UpCat(dims, 8, 4, 4, act="leakyrelu", norm="batch", bias=True, dropout=0.1, upsample=upsample).eval()
    block = block.double()
    below = torch.rand(2, 8, *(side // 2 for side in shape), dtype=torch.float64, requires_grad=True)
    skipped = torch.rand(2, 4, *shape, dtype=torch.float64, requires_grad=True)
    results = [each(below, skipped) for each in (SplitUpCat(block), block)]
    torch.testing.assert_close(*results)
    weights = torch.rand_like(results[0])
    for mine, its in zip(*[torch.autograd.grad(each, (below, skipped), weights) for each in results], strict=True):
        torch.testing.assert_close(mine, its)
