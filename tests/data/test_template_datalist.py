import pytest

from monai_advdefense.data.template_datalist import SPLIT_SEEDS, sample_paths, split_seeds, template_datalist
from monai_advdefense.errors import InputError

SPLITS = ("train", "validation", "calibration", "test")


@pytest.fixture
def folder(tmp_path):
    """Samples of two splits; a datalist does not open the files."""
    for seed in (1, 0, 699, 900):
        for path in sample_paths(tmp_path, seed):
            path.parent.mkdir(exist_ok=True)
            path.touch()
    return tmp_path


def test_no_seed_is_in_two_splits():
    seeds = [seed for split in SPLITS for seed in split_seeds(split)]
    assert set(SPLIT_SEEDS) == set(SPLITS)
    assert len(seeds) == len(set(seeds))


@pytest.mark.parametrize(("split", "seeds"), [("train", [0, 1, 699]), ("test", [900])])
def test_datalist_holds_the_pairs_of_its_split_by_seed(folder, split, seeds):
    assert template_datalist(str(folder), split) == [
        {
            "image": str(folder / "images" / f"sample_{seed:03d}.nii.gz"),
            "tissue": str(folder / "tissue" / f"sample_{seed:03d}.nii.gz"),
            "subject": f"sample_{seed:03d}",
            "domain": "template",
        }
        for seed in seeds
    ]


def test_an_image_without_tissue_is_refused(folder):
    missing = folder / "tissue" / "sample_001.nii.gz"
    missing.unlink()
    with pytest.raises(InputError, match=f"^{missing}: expected a file beside"):
        template_datalist(folder, "train")


def test_a_tissue_without_image_is_not_a_sample(folder):
    (folder / "images" / "sample_001.nii.gz").unlink()
    assert [case["subject"] for case in template_datalist(folder, "train")] == ["sample_000", "sample_699"]


@pytest.mark.parametrize(("split", "message"), [("calibration", "--split calibration"), ("all", "expected one of")])
def test_datalist_refuses_an_empty_or_unknown_split(folder, split, message):
    with pytest.raises(InputError, match=message):
        template_datalist(folder, split)


def test_without_a_folder_there_are_no_samples():
    assert template_datalist(None, "train") == []
    with pytest.raises(InputError):
        template_datalist(None, "holdout")


def test_split_seeds_refuses_an_unknown_split():
    with pytest.raises(InputError, match="expected one of train, validation, calibration, test, found 'dev'"):
        split_seeds("dev")
