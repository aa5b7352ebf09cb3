import os
import re

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader, MetaTensor
from monai.engines import SupervisedEvaluator
from monai.inferers import SliceInferer
from monai.transforms import (
    AsDiscreted,
    Compose,
    CropForegroundd,
    Invertd,
    LoadImaged,
    Orientationd,
    ScaleIntensityRangePercentilesd,
    Spacingd,
    SpatialPadd,
)

from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.errors import OutputError
from monai_advdefense.handlers.volume_writer import VolumeWriter, write_like
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog


def _files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _random_affine(rng, *, spacing=(0.3, 3.0)):
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = rotation[:, rng.permutation(3)] * rng.uniform(*spacing, 3) * rng.choice([-1, 1], 3)
    affine[:3, 3] = rng.uniform(-1000, 1000, 3)
    return affine


def _reference(path, array, affine, qcode=1, scode=2, image_class=nib.Nifti1Image, order="<"):
    header = image_class.header_class(endianness=order)
    volume = image_class(array, affine, header)
    volume.set_qform(affine, qcode)
    volume.set_sform(affine, scode)
    volume.header.set_xyzt_units("mm", "sec")
    volume.header["descrip"] = b"from a scanner"
    volume.header["aux_file"] = b"aux"
    volume.header["intent_name"] = b"name"
    volume.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"kept"))
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(volume, path)
    return path


def test_scaling_and_display_range_are_those_of_the_array(tmp_path):
    volume = nib.Nifti1Image(np.linspace(-1, 5000, 60).reshape(3, 4, 5), np.eye(4))
    volume.set_data_dtype(np.int16)  # stored with a slope and an intercept
    volume.header["cal_max"], volume.header["cal_min"] = 4000, 100
    nib.save(volume, tmp_path / "a.nii")
    assert nib.load(tmp_path / "a.nii").dataobj.slope != 1
    write_like(np.arange(60).reshape(3, 4, 5), tmp_path / "a.nii", tmp_path / "b.nii")
    written = nib.load(tmp_path / "b.nii")
    assert (written.dataobj.slope, written.dataobj.inter) == (1, 0)
    assert written.get_data_dtype() == np.uint8
    assert (written.header["cal_min"], written.header["cal_max"]) == (0, 59)


def test_float_volumes_keep_their_values(tmp_path):
    array = np.random.default_rng(0).normal(0, 1000, (4, 4, 4)).astype(np.float32)
    _reference(tmp_path / "a.nii.gz", np.ones((4, 4, 4), np.int16), np.eye(4))
    write_like(array, tmp_path / "a.nii.gz", tmp_path / "b.nii.gz", "float32")
    assert np.array_equal(np.asarray(nib.load(tmp_path / "b.nii.gz").dataobj), array)


def test_one_volume_in_four_dimensions_stays_one(tmp_path):
    _reference(tmp_path / "a.nii", np.ones((4, 5, 6, 1), np.int16), np.eye(4))
    write_like(np.ones((4, 5, 6)), tmp_path / "a.nii", tmp_path / "b.nii")
    assert nib.load(tmp_path / "b.nii").shape == (4, 5, 6, 1)


def test_writing_twice_gives_the_same_bytes(tmp_path):
    _reference(tmp_path / "a.nii.gz", np.ones((4, 5, 6), np.int16), np.eye(4))
    for name in ("b", "c"):
        write_like(np.arange(120).reshape(4, 5, 6), tmp_path / "a.nii.gz", tmp_path / f"{name}.nii.gz")
    assert (tmp_path / "b.nii.gz").read_bytes() == (tmp_path / "c.nii.gz").read_bytes()


@pytest.mark.parametrize(
    ("array", "dtype", "found"),
    [
        (np.ones((6, 5, 4)), "uint8", "shape"),
        (np.ones((1, 4, 5, 6)), "uint8", "shape"),
        (np.full((4, 5, 6), 256), "uint8", "fit into uint8"),
        (np.full((4, 5, 6), -1), "uint8", "fit into uint8"),
        (np.full((4, 5, 6), 0.5), "int16", "fit into int16"),
        (np.full((4, 5, 6), 1e39), "float32", "fit into float32"),
        (np.full((4, 5, 6), np.nan), "uint8", "finite"),
        (np.full((4, 5, 6), np.inf), "float32", "finite"),
    ],
)
def test_an_array_that_would_be_changed_is_not_written(array, dtype, found, tmp_path):
    _reference(tmp_path / "a.nii", np.ones((4, 5, 6), np.int16), np.eye(4))
    with pytest.raises(OutputError, match=f"b.nii: expected .*{found}"):
        write_like(array, tmp_path / "a.nii", tmp_path / "b.nii", dtype)
    assert _files(tmp_path) == ["a.nii"]


def _full(*arguments, **options):
    raise OSError(28, "No space left on device")


def _half(image, path):
    with open(path, "wb") as file:
        file.write(b"half")
    _full()


@pytest.mark.parametrize(("module", "name", "fault"), [(nib, "save", _half), (os, "replace", _full)])
def test_a_full_disk_leaves_nothing_and_keeps_an_older_file(module, name, fault, tmp_path, monkeypatch):
    _reference(tmp_path / "a.nii", np.ones((4, 5, 6), np.int16), np.eye(4))
    (tmp_path / "b.nii").write_text("older")
    monkeypatch.setattr(module, name, fault)
    with pytest.raises(OutputError, match=r"b\.nii: expected to write here, found No space left on device: check"):
        write_like(np.ones((4, 5, 6)), tmp_path / "a.nii", tmp_path / "b.nii")
    assert _files(tmp_path) == ["a.nii", "b.nii"]
    assert (tmp_path / "b.nii").read_text() == "older"


def _case(path, value):
    image = MetaTensor(torch.zeros(1, 4, 5, 6), meta={"filename_or_obj": str(path)})
    return {"image": image, "pred": MetaTensor(torch.full((1, 4, 5, 6), float(value)))}


def _writer(folder, inputs=".", log=None):
    return VolumeWriter(Outputs(folder / inputs, folder / "out"), log or RunLog())


def _run(writer, *batches):
    engine = Engine(lambda engine, batch: batch)
    writer.attach(engine)
    engine.run(list(batches))


def test_inputs_of_one_name_get_their_own_results(tmp_path):
    paths = [tmp_path / "in" / name for name in ("s1/t1.nii.gz", "s2/t1.nii.gz", "t1.nii", "t1.nii.gz")]
    for path in paths:
        _reference(path, np.ones((4, 5, 6), np.int16), np.eye(4))
    _run(_writer(tmp_path, "in"), *([_case(path, i)] for i, path in enumerate(paths)))
    expected = ["s1/t1_seg.nii.gz", "s2/t1_seg.nii.gz", "t1.nii_seg.nii.gz", "t1_seg.nii.gz"]
    assert _files(tmp_path / "out") == expected
    for number, name in enumerate(expected):
        assert (np.asarray(nib.load(tmp_path / "out" / name).dataobj) == number).all()


@pytest.mark.parametrize("names", [["a.NII", "a.nii"], ["a.nii", "a.nii.gz"], ["a.NII.GZ", "a.nii.GZ"]], ids=str)
def test_names_that_differ_in_the_ending_alone_get_their_own_results(names, tmp_path):
    log = RunLog()
    paths = [_reference(tmp_path / "in" / name, np.ones((4, 5, 6), np.int16), np.eye(4)) for name in names]
    _run(
        _writer(tmp_path, "in", log),
        *([_case(path, i)] for i, path in enumerate(paths)),
    )
    assert log.failures == []
    assert len(_files(tmp_path / "out")) == len(names)


def test_a_case_that_cannot_be_written_is_recorded_and_the_next_is_written(tmp_path, capsys):
    good, bad = (_reference(tmp_path / n, np.ones((4, 5, 6), np.int16), np.eye(4)) for n in ("b.nii", "a.nii"))
    log = RunLog()
    _run(_writer(tmp_path, log=log), [_case(bad, 300)], [_case(good, 1)])
    assert _files(tmp_path / "out") == ["b_seg.nii.gz"]
    ((path, message),) = log.failures
    assert path == str(bad)
    assert message.startswith(f"{bad}: no result: ")
    assert message.isprintable()
    assert "fit into uint8" in message
    assert message in capsys.readouterr().err


def test_the_same_input_twice_is_not_overwritten(tmp_path):
    path = _reference(tmp_path / "a.nii", np.ones((4, 5, 6), np.int16), np.eye(4))
    writer = _writer(tmp_path)
    _run(writer, [_case(path, 1), _case(path, 2)])
    assert "one input per result" in writer.run_log.failures[0][1]
    assert (np.asarray(nib.load(tmp_path / "out" / "a_seg.nii.gz").dataobj) == 1).all()
    _run(writer, [_case(path, 3)])  # another run may replace it
    assert (np.asarray(nib.load(tmp_path / "out" / "a_seg.nii.gz").dataobj) == 3).all()


def test_a_folder_that_cannot_be_made_stops_before_anything_is_computed(tmp_path):
    (tmp_path / "out").touch()
    computed = []
    engine = Engine(lambda engine, batch: computed.append(batch))
    _writer(tmp_path).attach(engine)
    with pytest.raises(OutputError, match="^output_dir: expected a folder that can be written, found File exists"):
        engine.run([1])
    assert computed == []


class _Threshold(torch.nn.Module):
    def forward(self, image):
        return torch.cat([0.001 - image, image - 0.001], 1)


def test_the_whole_way_brings_each_voxel_back_to_its_place(tmp_path):
    """A network that marks every voxel above 0: the result must be the input's own mask, in every geometry of 1 mm."""
    image, _ = brain_phantom((22, 26, 24), seed=0)
    image[:11, :, :12] = 0  # no symmetry left
    rng = np.random.default_rng(0)
    affines = {f"oblique{n}": _random_affine(rng, spacing=(1, 1)) for n in range(3)}
    affines |= {"flipped": np.diag([-1.0, 1, -1, 1]), "permuted": np.eye(4)[[2, 0, 1, 3]]}
    for name, affine in affines.items():
        _reference(tmp_path / "in" / f"{name}.nii.gz", image, affine, 1, 1)
    preprocessing = Compose(
        [
            LoadImaged("image", reader="NibabelReader", ensure_channel_first=True),
            Orientationd("image", "RAS", labels=None),
            Spacingd("image", (1.0, 1.0, 1.0)),
            CropForegroundd("image", source_key="image"),
            ScaleIntensityRangePercentilesd("image", 0, 99.5, 0, 1, clip=True),
            SpatialPadd("image", (32, -1, 32)),
        ]
    )
    log = RunLog()
    dataset = VolumeDataset(tmp_path / "in", preprocessing, run_log=log, slice_size=(32, 32), slice_dim=1)
    inverse = Invertd("pred", preprocessing, orig_keys="image", nearest_interp=True)
    SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=1, num_workers=0),
        network=_Threshold(),
        inferer=SliceInferer(roi_size=(32, 32), sw_batch_size=16, spatial_dim=1),
        postprocessing=Compose([AsDiscreted("pred", argmax=True), inverse]),
        val_handlers=[_writer(tmp_path, "in", log)],
    ).run()
    assert log.failures == []
    for name, affine in affines.items():
        written = nib.load(tmp_path / "out" / f"{name}_seg.nii.gz")
        assert written.affine.tobytes() == nib.load(tmp_path / "in" / f"{name}.nii.gz").affine.tobytes()
        np.testing.assert_allclose(written.affine, affine, atol=1e-4)
        assert np.array_equal(np.asarray(written.dataobj), image > 0), name


@pytest.mark.parametrize("channels", [0, 2])
def test_other_than_one_channel_is_refused(channels, tmp_path):
    path = _reference(tmp_path / "a.nii", np.ones((4, 5, 6), np.int16), np.eye(4))
    case = {**_case(path, 1), "pred": MetaTensor(torch.ones(channels, 4, 5, 6))}
    log = RunLog()
    _run(_writer(tmp_path, log=log), [case])
    assert re.search(rf"one channel.+found \({channels}, 4, 5, 6\)", log.failures[0][1])
    assert not _files(tmp_path / "out")
