"""Any volume of finite numbers gives finite numbers in the promised range, whatever it is batched with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose
from torch import nn

from bundle_configs.preprocessing import volume_transforms
from monai_advdefense.data.checks import check_intensity_range
from monai_advdefense.errors import InputError
from monai_advdefense.guard import ReconstructionDetector
from monai_advdefense.guard.spectrum import fft_shift_magnitude

TYPES = ["int8", "uint8", "int16", "uint16", "int32", "float32", "float64"]
SIZES = {"slice_size": [48, 48], "slice_dim": 1}
STEPS = ("orientation", "spacing", "crop_foreground", "scale_intensity", "pad_slices")


def _volume(rng, number):
    """Sides of 1 to 33, odd and even; all kinds of values, always some above 0."""
    dtype = np.dtype(TYPES[number % len(TYPES)])
    shape = tuple(rng.integers(1, 34, 3))
    kinds = [
        lambda: rng.random(shape) * 100,
        lambda: np.full(shape, 7.0),
        lambda: np.where(np.arange(np.prod(shape)).reshape(shape) == 0, 120.0, 0.0),
        lambda: rng.normal(size=shape) * 50,
    ]
    if dtype.kind == "f":
        kinds += [lambda: rng.random(shape) * 1e-38, lambda: rng.random(shape) * 1e30]
    volume = kinds[number // len(TYPES) % len(kinds)]()
    volume.flat[rng.integers(volume.size)] = abs(volume).max()
    return volume.astype(dtype)


@pytest.mark.filterwarnings("ignore:Divide by zero")
def test_preprocessed_volumes_are_finite_and_from_0_to_1(full, figure):
    """Or the volume is refused: one with few voxels above the lowest value has no range of intensities."""
    rng, count, refused = np.random.default_rng(0), 500 if full else 60, 0
    entries = ConfigParser(
        {**volume_transforms(label=False), "slice_size": [48, 48], "slice_dim": 1, "pixdim": [1.0] * 3}
    )
    prepare = Compose([entries.get_parsed_content(step) for step in STEPS])
    for number in range(count):
        volume = MetaTensor(torch.from_numpy(_volume(rng, number).astype(np.float32))[None], affine=torch.eye(4))
        image = prepare({"image": volume})["image"]
        try:
            check_intensity_range(image)
        except InputError:
            refused += 1
        else:
            assert torch.isfinite(image).all(), number
            assert 0 <= image.min() <= image.max() <= 1, number
    assert refused < 0.1 * count
    figure(f"{count - refused} of {count} volumes finite and in [0, 1], {refused} refused, none beyond")


def test_the_converter_keeps_energy_and_is_inverted(full, figure):
    rng, worst = np.random.default_rng(1), {torch.float32: 0.0, torch.float64: 0.0}
    for number in range(200 if full else 30):
        shape = (2, int(rng.integers(1, 5)), *rng.integers(1, 66, 2).tolist())
        for dtype in worst:
            image = torch.from_numpy(rng.random(shape)).to(dtype)
            spectrum = fft_shift_magnitude(image, log=False)
            energy, mean = spectrum.square().sum((-1, -2)), image.square().mean((-1, -2))
            worst[dtype] = max(worst[dtype], float(((energy - mean).abs() / mean).max()))
            reference = np.abs(np.fft.fftshift(np.fft.fft2(image.double().numpy(), norm="forward"), axes=(-2, -1)))
            np.testing.assert_allclose(spectrum.numpy(), reference, atol=2e-6 if dtype is torch.float32 else 1e-12)
            assert torch.isfinite(fft_shift_magnitude(image)).all(), number
    assert worst[torch.float32] <= 1e-5
    assert worst[torch.float64] <= 1e-12
    figure(f"energy kept to {worst[torch.float32]:.0e} (float32) and {worst[torch.float64]:.0e} (float64)")


def test_scores_do_not_depend_on_the_batch(full, figure):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    detector, images = ReconstructionDetector(network).eval(), torch.rand(48 if full else 16, 1, 33, 47)
    order = torch.randperm(len(images))
    with torch.no_grad():
        whole = detector.score(images)
        single = torch.cat([detector.score(image[None]) for image in images])
        turned = detector.score(images[order])
    worst = float(torch.maximum((whole - single).abs(), (whole[order] - turned).abs()).div(whole).max())
    assert worst <= 1e-6
    figure(f"scores alone, batched and in another order alike to {worst:.0e}")
