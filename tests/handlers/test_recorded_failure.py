import pytest

from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.errors import InputError, OutputError
from monai_advdefense.handlers.recorded_failure import recorded_failure


@pytest.mark.parametrize("kind", [InputError, OutputError])
def test_an_error_of_the_block_is_recorded_on_one_line(kind, capsys):
    dataset = VolumeDataset([], dict)
    with recorded_failure(dataset, "a\nb.nii", "no scores"):
        raise kind("out: expected\nmore")
    message = "a\\nb.nii: no scores: out: expected more"
    assert dataset.failures == [("a\nb.nii", message)]
    assert capsys.readouterr().err == f"failed: {message}\n"


@pytest.mark.parametrize(
    ("dataset", "error"), [(None, OutputError("out: expected x")), (VolumeDataset([], dict), KeyError("a defect"))]
)
def test_without_a_dataset_and_for_a_defect_the_error_passes(dataset, error):
    with pytest.raises(type(error)) as raised, recorded_failure(dataset, "a.nii", "no scores"):
        raise error
    assert raised.value is error
    assert dataset is None or dataset.failures == []
