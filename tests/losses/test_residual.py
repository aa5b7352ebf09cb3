import numpy as np
import pytest
import torch

from monai_advdefense.losses import ResidualLoss


@pytest.mark.parametrize("shape", [(2, 1, 3, 4), (1, 2, 3, 2, 2)])
def test_loss_is_the_mean_squared_error_of_the_reconstruction(shape):
    image, reconstruction = np.random.default_rng(0).random((2, *shape))
    loss = ResidualLoss()(torch.as_tensor(image - reconstruction))
    assert loss.item() == pytest.approx(np.mean((image - reconstruction) ** 2))


def test_target_does_not_count():
    residual = torch.tensor([[[1.0, -3.0]]])
    assert ResidualLoss()(residual, torch.ones(1, 1, 2)) == ResidualLoss()(residual) == 5


def test_gradient_is_twice_the_residual_over_its_size():
    residual = torch.randn(2, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    ResidualLoss()(residual).backward()
    torch.testing.assert_close(residual.grad, 2 * residual.detach() / residual.numel())
