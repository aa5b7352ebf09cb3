import pytest
import torch

from monai_advdefense.errors import InputError
from monai_advdefense.networks.input_size import require_multiple


@pytest.mark.parametrize("sides", [(16, 32), (16, 32, 48)])
def test_multiples_pass(sides):
    require_multiple(torch.zeros(1, 1, *sides), 16)


def test_the_size_to_pad_to_is_named():
    with pytest.raises(InputError, match=r"found a side of 33: pad to \[32, 48\]$"):
        require_multiple(torch.zeros(2, 1, 32, 33), 16)
