from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

pytest.importorskip("nilearn")

from monai_advdefense.data import template_anatomy
from monai_advdefense.errors import InputError
from tests.data.mean_noise import mean_noise


def test_template_is_in_millimetres_with_its_midline_at_zero(template):
    maps, affine = template
    np.testing.assert_array_equal(affine[:3, :3], np.eye(3))
    plane = round(-affine[0, 3])
    width = min(plane, maps.shape[1] - 1 - plane)
    # The template is symmetric.
    np.testing.assert_allclose(maps[:3, plane - width : plane], maps[:3, plane + width : plane : -1], atol=0.05)


def test_displacement_is_a_subjects_size_and_a_few_millimetres():
    shape, center = (90, 100, 80), np.array([45.0, 50.0, 40.0])
    field = template_anatomy.random_displacement(shape, center, np.random.RandomState(3))
    index = np.indices(shape).reshape(3, -1).T - center
    design = np.column_stack([index, np.ones(len(index))])
    linear, *_ = np.linalg.lstsq(design, field.reshape(3, -1).T, rcond=None)
    scale = 1 / np.linalg.svd(linear[:3].T + np.eye(3), compute_uv=False)
    assert np.all((scale > 0.75) & (scale < 1.1))
    local = field - (design @ linear).T.reshape(field.shape)
    assert 0.7 < local.std() < 5
    # No folding over: the map keeps the orientation everywhere.
    gradient = np.stack([np.stack(np.gradient(component)) for component in field]) + np.eye(3)[..., None, None, None]
    assert np.linalg.det(np.moveaxis(gradient, (0, 1), (-2, -1))).min() > 0


def test_warp_equals_scipy_for_all_maps():
    random = np.random.RandomState(0)
    maps = random.rand(2, 9, 11, 10).astype(np.float32)
    displacement = random.uniform(-2, 2, (3, 9, 11, 10)).astype(np.float32)
    warped = template_anatomy.warp_maps(maps, displacement)
    at = np.indices((9, 11, 10)) + displacement
    size = np.array([9, 11, 10])[:, None, None, None]
    inside = np.all((at >= 0) & (at <= size - 1), axis=0)
    for result, source in zip(warped, maps, strict=True):
        expected = ndimage.map_coordinates(source, at, order=1)
        np.testing.assert_allclose(result[inside], expected[inside], atol=1e-5)
    far = template_anatomy.warp_maps(maps, np.full_like(displacement, 50))
    assert not far.any()


@pytest.mark.parametrize("wavelength", [5.0, 12.0])
def test_wave_field_has_unit_variance_and_its_wavelength(wavelength):
    field = template_anatomy.wave_field((60, 48, 50), wavelength, np.random.RandomState(1))
    assert field.std() == pytest.approx(1, rel=1e-3)
    power = np.abs(np.fft.fftn(field)) ** 2
    frequency = np.sqrt(sum(np.ix_(*[np.fft.fftfreq(n) ** 2 for n in field.shape])))
    assert (power * frequency).sum() / power.sum() == pytest.approx(1 / wavelength, rel=0.2)


def test_folding_keeps_what_is_certain_and_what_shall_stay_smooth():
    random = np.random.RandomState(2)
    grey = random.uniform(0, 0.5, (24, 24, 24)).astype(np.float32)
    white = random.uniform(0, 0.5, (24, 24, 24)).astype(np.float32)
    white[:, :, 12:], grey[:, :, 12:] = 1, 0
    smooth = np.zeros_like(grey)
    smooth[:8] = 1
    wave = template_anatomy.wave_field(grey.shape, 12.0, random)
    folded_grey, folded_white = template_anatomy.folded_tissues(grey, white, smooth, wave)
    np.testing.assert_array_equal(folded_grey[:8], grey[:8])
    np.testing.assert_array_equal(folded_white[:8], white[:8])
    assert (folded_white[8:, :, 12:] == 1).all()
    assert folded_grey.min() >= 0
    assert folded_white.min() >= 0
    assert (folded_grey + folded_white).max() <= 1 + 1e-6


def test_a_drawn_sulcus_is_fluid_lined_with_grey_matter_in_white():
    shape = (40, 8, 8)
    wave = np.broadcast_to((np.arange(40, dtype=np.float32) - 20)[:, None, None], shape)
    zeros = np.zeros(shape, np.float32)
    grey, white = template_anatomy.folded_tissues(zeros + 0.5, zeros + 0.5, zeros, wave, thickness=3.0)
    profile = np.stack([1 - grey - white, grey, white])[:, :, 4, 4].argmax(0)
    assert profile[20] == 0
    assert set(profile[17:20]) == set(profile[21:24]) == {1}
    assert set(profile[:16]) == set(profile[25:]) == {2}


def test_scan_noise_is_rician():
    clean = np.zeros((40, 40, 40), np.float32)
    clean[:, 20:] = 1000
    mask = np.ones(clean.shape, bool)
    mask[:5] = False
    image = template_anatomy.scan_intensity(clean, mask, noise=10.0, random=np.random.RandomState(0))
    assert not image[:5].any()
    # Where there is no signal, the magnitude of two normal channels is Rayleigh.
    air = image[5:, :15]
    assert air.mean() == pytest.approx(10 * np.sqrt(np.pi / 2), rel=0.02)
    assert air.std() == pytest.approx(10 * np.sqrt(2 - np.pi / 2), rel=0.03)
    signal = np.zeros(clean.shape, bool)
    signal[5:, 25:] = True
    assert mean_noise(image, signal) == pytest.approx(10, rel=0.1)


def test_missing_nilearn_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(template_anatomy, "optional_import", lambda name: (None, False))
    with pytest.raises(InputError, match=r"pip install 'monai_advdefense\[sample\]'"):
        template_anatomy.load_template.__wrapped__()
