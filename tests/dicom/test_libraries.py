import warnings

import pytest

from monai_advdefense.dicom.libraries import check_libraries, quiet_libraries
from monai_advdefense.errors import InputError


def test_missing_libraries_are_named_with_the_extra_that_brings_them():
    with pytest.raises(InputError, match=r"found .*no of_nobody: pip install 'monai_advdefense\[dicom\]'$"):
        check_libraries("of_nobody")


def test_installed_libraries_pass():
    pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")
    check_libraries("json")


def test_odd_values_are_not_told_and_the_rest_is():
    pydicom = pytest.importorskip("pydicom")
    header = pydicom.Dataset()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        quiet_libraries()
        header.PatientSex = "male."
        assert told == []
        header.PatientSxe = "M"
    assert "PatientSxe" in str(told[0].message)
