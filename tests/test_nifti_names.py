import pytest

from monai_advdefense.nifti_names import nifti_stem


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.nii", "a"), ("a.nii.gz", "a"), ("a.b.NII.GZ", "a.b"), ("a.gz", "a.gz"), ("nii", "nii"), (".nii.gz", "")],
)
def test_only_the_ending_of_a_volume_is_left_out(name, stem):
    assert nifti_stem(name) == stem
