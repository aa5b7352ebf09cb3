from __future__ import annotations

import numpy as np
import pytest

from monai_advdefense.dicom.find_series import find_series
from monai_advdefense.dicom.read_series import read_series
from monai_advdefense.errors import InputError

from .conftest import PLANES, ras_affine, stored_values


def _read(folder):
    (series,) = find_series(folder)
    return read_series(series.files, name=series.name)


@pytest.mark.parametrize("plane", PLANES)
def test_voxels_and_affine_are_those_of_the_volume(plane, make_series):
    series = _read(make_series(plane=plane))
    assert series.array.dtype == np.float32
    assert np.array_equal(series.array, stored_values())
    assert np.abs(series.affine - ras_affine(plane)).max() < 1e-4


@pytest.mark.parametrize("plane", PLANES)
def test_simpleitk_makes_the_same_volume(plane, make_series):
    sitk = pytest.importorskip("SimpleITK")
    folder = make_series(plane=plane)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = sitk.ReadImage(names)
    series = _read(folder)
    assert np.array_equal(series.array, sitk.GetArrayFromImage(image).transpose(2, 1, 0))
    directions = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    expected = np.diag([-1, -1, 1]) @ np.column_stack([directions, image.GetOrigin()])
    assert np.abs(series.affine[:3] - expected).max() < 1e-4


def test_slices_that_run_down_are_sorted_along_the_normal(make_series):
    """The order of the positions alone counts: a scanner that begins at the head gives the same volume."""

    def last_first(header, index):
        header.InstanceNumber = 100 - index

    assert np.array_equal(_read(make_series(change=last_first)).array, stored_values())


def test_rescale_is_applied(make_series):
    def rescale(header, index):
        header.RescaleSlope, header.RescaleIntercept, header.RescaleType = 0.25 * (1 + index), -3.5, "US"

    slope = 0.25 * np.arange(1, 6)
    assert np.array_equal(_read(make_series(change=rescale)).array, (stored_values() * slope - 3.5).astype(np.float32))


@pytest.mark.parametrize("syntax", ["RLELossless", "JPEGLSLossless"])
def test_compressed_series_are_decoded(syntax, make_series):
    from pydicom import uid

    def compress(header, _):
        header.compress(getattr(uid, syntax), generate_instance_uid=False)

    series = _read(make_series(change=compress))
    assert np.array_equal(series.array, stored_values())
    assert all("PixelData" not in header for header in series.headers)


@pytest.mark.parametrize("plane", ["coronal", "oblique"])
def test_one_file_with_several_slices(plane, make_series, make_enhanced):
    series = _read(make_enhanced(make_series(plane=plane)))
    assert np.array_equal(series.array, stored_values())
    assert np.abs(series.affine - ras_affine(plane)).max() < 1e-4


def test_a_gap_in_one_file_with_several_slices(make_series, make_enhanced):
    path = make_enhanced(make_series(skip=[2]))
    with pytest.raises(InputError, match="expected frames that make one volume"):
        _read(path)


def test_one_file_with_several_slices_beside_others(make_series, make_enhanced):
    folder = make_series()
    with pytest.raises(InputError, match="mixed: expected one file with several slices, or files with one, found 6"):
        read_series([*folder.iterdir(), make_enhanced(folder)], name="mixed")


def test_files_of_two_series_are_refused(make_series):
    files = [*make_series().iterdir(), *make_series().iterdir()]
    with pytest.raises(InputError, match="mixed: expected slices with one SeriesInstanceUID"):
        read_series(files, name="mixed")


def test_a_file_that_is_no_dicom_is_refused_with_the_series_beside_it(make_series):
    folder = make_series()
    (folder / "notes.dcm").write_text("not an image")
    with pytest.raises(InputError, match=r"notes\.dcm: expected a DICOM file"):
        _read(folder)
