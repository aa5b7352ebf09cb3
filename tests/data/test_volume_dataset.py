from operator import length_hint

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator
from monai.transforms import (
    Compose,
    CropForegroundd,
    LoadImaged,
    Orientationd,
    ScaleIntensityRangePercentilesd,
    Spacingd,
    SpatialPadd,
)

from monai_advdefense.data import volume_dataset
from monai_advdefense.data.phantom import write_phantom_dataset
from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.errors import InputError
from monai_advdefense.runs import Manifest, Outputs

SIZE = 40


def _preprocessing(size=SIZE):
    return Compose(
        [
            LoadImaged("image", reader="NibabelReader", ensure_channel_first=True),
            Orientationd("image", "RAS", labels=None),
            Spacingd("image", (1.0, 1.0, 1.0)),
            CropForegroundd("image", source_key="image"),
            ScaleIntensityRangePercentilesd("image", 0, 99.5, 0, 1, clip=True),
            SpatialPadd("image", (size, -1, size)),
        ]
    )


def _dataset(data, **arguments):
    return VolumeDataset(data, _preprocessing(), slice_size=(SIZE, SIZE), slice_dim=1, **arguments)


@pytest.fixture
def folder(tmp_path):
    return write_phantom_dataset(tmp_path / "data", 3, shape=(32, 24, 30))


def _paths(dataset):
    return [item["image"].meta["filename_or_obj"] for item in dataset]


def test_good_volumes_come_out_as_the_preprocessing_makes_them(folder):
    items = list(_dataset(folder))
    assert len(items) == 3
    for item, path in zip(items, sorted((folder / "images").iterdir()), strict=True):
        expected = _preprocessing()({"image": str(path)})["image"]
        assert torch.equal(item["image"], expected)


def test_a_broken_volume_in_the_middle_is_left_out_and_recorded(folder, capsys):
    broken = folder / "images" / "1001.nii.gz"
    broken.write_bytes(broken.read_bytes()[:-30])
    dataset = _dataset(folder)
    assert _paths(dataset) == [str(folder / "images" / f"{scan}.nii.gz") for scan in (1000, 1002)]
    assert dataset.run_log.attempted == [str(folder / "images" / f"{scan}.nii.gz") for scan in (1000, 1001, 1002)]
    ((path, message),) = dataset.run_log.failures
    assert path == str(broken)
    assert message.startswith(f"{broken}: expected ")
    assert capsys.readouterr().err == f"failed: {message}\n"


def test_each_pass_starts_anew(folder):
    (folder / "images" / "1000.nii.gz").write_text("no volume")
    dataset = _dataset(folder)
    assert _paths(dataset) == _paths(dataset)
    assert (len(dataset.run_log.attempted), len(dataset.run_log.failures)) == (3, 1)


@pytest.mark.parametrize("processes", [2, 5])
def test_processes_share_the_volumes_and_some_get_none(folder, processes, monkeypatch):
    whole = _paths(_dataset(folder))
    shares = []
    for rank in range(processes):
        monkeypatch.setattr(volume_dataset.idist, "get_rank", lambda rank=rank: rank)
        monkeypatch.setattr(volume_dataset.idist, "get_world_size", lambda: processes)
        shares.append(_paths(_dataset(folder)))
    assert sorted(path for share in shares for path in share) == whole
    assert {len(share) for share in shares} == ({1, 2} if processes == 2 else {0, 1})


def test_missing_and_nameless_items_of_a_list_fail_alone(folder):
    good = str(folder / "images" / "1000.nii.gz")
    dataset = _dataset([{"image": "nowhere.nii"}, {"image": good}, {"label": good}, {"image": [good, good]}])
    assert _paths(dataset) == [good]
    assert "nowhere.nii: expected a volume, found no such file" in dataset.run_log.failures[0][1]
    assert all("expected one path under 'image'" in message for _, message in dataset.run_log.failures[1:])


def test_the_folder_is_listed_when_the_iteration_starts(tmp_path):
    dataset = _dataset(tmp_path / "later")
    with pytest.raises(InputError, match="later: expected a file or a folder of inputs, found no such file or folder"):
        list(dataset)
    write_phantom_dataset(tmp_path / "later", 1, shape=(24, 24, 24))
    assert len(list(dataset)) == 1


def test_the_number_of_volumes_is_known_beforehand_where_they_can_be_counted(folder):
    dataset = _dataset(folder)
    assert length_hint(dataset, -1) == len(list(dataset)) == 3
    assert length_hint(_dataset(item for item in [{"image": "a.nii"}]), -1) == -1


def test_an_empty_list_is_refused():
    with pytest.raises(InputError, match="at least one volume"):
        list(_dataset([]))


def test_results_of_an_earlier_run_are_no_inputs(folder):
    out = folder / "images" / "out"
    out.mkdir()
    (out / "1000_seg.nii.gz").write_bytes((folder / "images" / "1000.nii.gz").read_bytes())
    assert len(list(_dataset(folder))) == 4
    assert len(list(_dataset(folder, exclude=out))) == 3


def _write(path, array, affine):
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)


def test_the_field_of_view_does_not_matter_but_the_brain_does(tmp_path):
    image = np.zeros((64, 64, 64), np.int16)
    image[5:35, 10:60, 20:50] = np.random.default_rng(0).integers(1, 100, (30, 50, 30))
    affine = np.eye(4)
    _write(tmp_path / "in" / "wide_view.nii", image, affine)
    _write(tmp_path / "in" / "voxels_of_2mm.nii", image, np.diag([2.0, 2, 2, 1]))
    dataset = _dataset(tmp_path / "in")
    (item,) = dataset
    assert item["image"].shape == (1, SIZE, 50, SIZE)
    ((path, message),) = dataset.run_log.failures
    assert path.endswith("voxels_of_2mm.nii")
    assert "expected a brain (voxels above 0) of at most 40 x 40 voxels" in message


def test_a_preprocessing_that_fails_names_the_file_and_the_first_cause(folder):
    def transform(item):
        try:
            raise MemoryError("cannot allocate\n9 TiB")
        except MemoryError as error:
            raise RuntimeError("applying transform <object at 0x1>") from error

    dataset = VolumeDataset(folder, transform, slice_size=(SIZE, SIZE), slice_dim=1)
    assert list(dataset) == []
    assert len(dataset.run_log.failures) == 3
    for path, message in dataset.run_log.failures:
        assert message.startswith(f"{path}: expected a volume that can be preprocessed, found MemoryError: cannot")
        assert message.isprintable()


@pytest.mark.parametrize(
    ("image", "rule"),
    [
        (torch.full((1, SIZE, 9, SIZE), torch.nan), "finite intensities after preprocessing"),
        (torch.rand(1, SIZE, 9, SIZE + 1), "a brain"),
        (torch.nn.functional.pad(torch.rand(1, SIZE, 9, SIZE), (0, 1)), "slices of"),
        (torch.rand(1, SIZE - 1, 9, SIZE), "slices of"),
    ],
    ids=["NaN", "large brain", "padded too far", "not padded"],
)
def test_a_tensor_that_the_networks_cannot_take_is_refused(image, rule, folder):
    dataset = VolumeDataset(folder, lambda item: {"image": image}, slice_size=(SIZE, SIZE), slice_dim=1)
    assert list(dataset) == []
    assert all(f"expected {rule}" in message for _, message in dataset.run_log.failures)


def test_volumes_with_too_few_filled_slices_fail_alone(tmp_path):
    for name, count in (("few", 3), ("enough", 4)):
        image = np.zeros((20, 20, 20), np.int16)
        image[5:15, 5 : 5 + count, 5:15] = np.random.default_rng(0).integers(1, 100, (10, count, 10))
        _write(tmp_path / "in" / f"{name}.nii", image, np.eye(4))
    dataset = _dataset(tmp_path / "in", min_slices=4)
    assert _paths(dataset) == [str(tmp_path / "in" / "enough.nii")]
    ((path, message),) = dataset.run_log.failures
    assert path.endswith("few.nii")
    assert message.startswith(f"{path}: expected at least 4 slices that are not blank, found 3: ")


def test_worker_processes_are_refused(folder):
    loader = DataLoader(_dataset(folder), batch_size=1, num_workers=1)
    with pytest.raises(InputError, match="num_workers: expected 0"):
        next(iter(loader))


@pytest.mark.parametrize("broken", [(), (0,), (1,), (0, 1, 2)], ids=str)
def test_an_evaluator_sees_each_usable_volume_once(broken, folder):
    paths = sorted((folder / "images").iterdir())
    for number in broken:
        paths[number].write_text("no volume")
    seen = []
    dataset = _dataset(folder)
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=1, num_workers=0),
        network=torch.nn.Identity(),
        postprocessing=lambda item: seen.append(item["image"].meta["filename_or_obj"]) or item,
    )
    evaluator.run()
    assert seen == [str(path) for number, path in enumerate(paths) if number not in broken]
    assert evaluator.state.iteration == 3 - len(broken)
    assert [path for path, _ in dataset.run_log.failures] == [str(paths[number]) for number in broken]


def test_relative_paths_become_absolute_so_that_failures_are_found_by_path(folder, monkeypatch):
    monkeypatch.chdir(folder)
    names = ["1000.nii.gz", "1001.nii.gz"]
    dataset = _dataset([{"image": f"./images/{name}"} for name in names])
    assert _paths(dataset) == dataset.run_log.attempted == [str(folder / "images" / name) for name in names]


def test_what_can_only_be_iterated_over_is_taken_one_by_one_and_not_shared_out_again(folder, tmp_path):
    paths = sorted((folder / "images").iterdir())
    taken = []

    def queue():
        for path in paths:
            taken.append(path)
            yield {"image": str(path)}

    manifest = Manifest(Outputs(folder, tmp_path / "out"), shard="2/2")
    items = iter(_dataset(queue(), manifest=manifest))
    for number in range(1, len(paths) + 1):
        next(items)
        assert taken == paths[:number]
    assert next(items, None) is None
