"""The guard in front of bundles that know nothing of it."""

from __future__ import annotations

import json
import shutil
import sys
import warnings

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, create_workflow
from monai.transforms import CropForeground, LoadImage, Orientation, SpatialPad
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from monai_advdefense.bundle_tools import Guard, load_detector, load_reformer
from monai_advdefense.bundle_tools.assemble import assemble
from monai_advdefense.bundle_tools.bundle_folder import config_of
from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.errors import InputError, OutputError
from monai_advdefense.transforms import DetectAdversarial, Reform
from tests.run_python import run_python

SHAPE = (32, 30, 28)
SIDE = 36
TAMPERED = [9, 10, 20]
REJECTED = 255
CONVOLUTION = {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 1, "kernel_size": 3, "padding": 1}


METADATA = {key: "1" for key in ("version", "monai_version", "pytorch_version", "numpy_version")}


def _theirs(channels: int) -> dict:
    """A bundle for volumes as MONAI users write them; nothing in it is ours."""
    return {
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "contrasts": [f"t{number}" for number in range(channels)],
        "dataset_dir": "data",
        "output_dir": "out",
        "device": "$torch.device('cpu')",
        "network_def": {
            "_target_": "UNet",
            "spatial_dims": 3,
            "in_channels": channels,
            "out_channels": 3,
            "channels": [4, 8],
            "strides": [2],
        },
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "@contrasts"},
                {"_target_": "EnsureChannelFirstd", "keys": "@contrasts"},
                {"_target_": "ConcatItemsd", "keys": "@contrasts", "name": "image"},
                {"_target_": "DeleteItemsd", "keys": "@contrasts"},
                {"_target_": "Orientationd", "keys": "image", "axcodes": "LPS", "labels": None},
                {"_target_": "Spacingd", "keys": "image", "pixdim": [1.2, 1.0, 1.3]},
                {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True},
            ],
        },
        "dataset": {
            "_target_": "CacheDataset",
            "data": "$[dict(zip(@contrasts, sorted(glob.glob(x + '/*')))) for x in glob.glob(@dataset_dir + '/*')]",
            "transform": "@preprocessing",
            "progress": False,
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1},
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [24, 24, 24], "overlap": 0.5},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image"},
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {
                    "_target_": "SaveImaged",
                    "keys": "pred",
                    "output_dir": "@output_dir",
                    "output_dtype": "uint8",
                    "separate_folder": False,
                    "data_root_dir": "@dataset_dir",
                    "print_log": False,
                },
            ],
        },
        "handlers": [
            {
                "_target_": "CheckpointLoader",
                "load_path": "$os.path.join(@bundle_root, 'models', 'model.pt')",
                "load_dict": {"model": "@network_def"},
            }
        ],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "$@network_def.to(@device)",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
        },
        "run": ["$@evaluator.run()"],
    }


def _write_bundle(folder, config):
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    (folder / "configs" / "metadata.json").write_text(json.dumps(METADATA))
    torch.manual_seed(3)
    state = ConfigParser(config).get_parsed_content("network_def").state_dict()
    (folder / "models").mkdir()
    torch.save(state, folder / "models" / "model.pt")
    return state


def _brains(channels: int) -> np.ndarray:
    """Contrasts of one brain ``(C, *SHAPE)``, RAS, without slices that hold only a few voxels."""
    volumes = [brain_phantom(SHAPE, seed=seed)[0].astype(np.float32) * (seed + 1) for seed in range(channels)]
    return np.stack(volumes)


def _tampered(volume: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, volume.shape) * volume.max()
    tampered = volume.copy()
    tampered[:, TAMPERED] = np.clip(volume + noise, 1, volume.max())[:, TAMPERED]
    return np.where(volume > 0, tampered, 0).astype(np.float32)


def _save(case, channels: np.ndarray) -> None:
    """Write the channels of an RAS image as files of one folder, turned."""
    case.mkdir(parents=True, exist_ok=True)
    for number, channel in enumerate(channels):
        image = nib.Nifti1Image(channel, np.eye(4))
        turn = ornt_transform(io_orientation(image.affine), axcodes2ornt("PIR"))
        nib.save(image.as_reoriented(turn), case / f"{number}.nii.gz")


def _upright(path) -> np.ndarray:
    """An image on disk as RAS ``(C, X, Y, Z)``."""
    return Orientation("RAS", labels=None)(LoadImage(ensure_channel_first=True)(path)).numpy()


@pytest.fixture(scope="module")
def guard_dir(tmp_path_factory):
    """A guard for slices of this size, calibrated on the clean brains: its autoencoder gives nothing back."""
    folder = tmp_path_factory.mktemp("guard")
    config = {
        "network_def": {
            "_target_": "monai_advdefense.guard.DefendedSegmenter",
            "detector": {"_target_": "monai_advdefense.guard.ReconstructionDetector", "network": CONVOLUTION},
            "reformer": {"_target_": "monai_advdefense.guard.Reformer", "network": CONVOLUTION},
            "segmenter": CONVOLUTION,
        },
        "slice_size": [SIDE, SIDE],
        "slice_dim": 1,
    }
    state = _write_bundle(folder, config)
    for key in ("detector.network.weight", "detector.network.bias", "reformer.network.bias"):
        state[key].zero_()
    state["reformer.network.weight"].fill_(1 / 9)
    state["detector.threshold"].fill_(0)
    torch.save(state, folder / "models" / "model.pt")
    scores, _ = DetectAdversarial(load_detector(folder), 1, slice_size=(SIDE, SIDE))(_brains(2))
    state["detector.threshold"].fill_(float(scores.max()))
    torch.save(state, folder / "models" / "model.pt")
    return folder


@pytest.fixture
def segment(bundles, guard_dir, tmp_path):
    """Runs their bundle on a folder, with or without the guard, and gives the folder of the results."""

    def run(theirs, data, *, guarded, **overrides):
        files = [str(config_of(theirs))]
        if guarded:
            files.append(str(bundles / "brain_mri_defended_segmentation" / "configs" / "guard_spectral.json"))
            overrides["guard_dir"] = str(guard_dir)
        output = tmp_path / f"{theirs.name}_{data.name}_{'guarded' if guarded else 'plain'}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            workflow = create_workflow(
                config_file=files,
                workflow_type="infer",
                bundle_root=str(theirs),
                logging_file=False,
                dataset_dir=str(data),
                output_dir=str(output),
                **overrides,
            )
            assert workflow.check_properties() == []
            workflow.run()
        return output

    return run


@pytest.mark.parametrize("channels", [1, 2])
def test_a_3d_network_sees_reformed_slices_and_rejected_ones_are_marked(segment, guard_dir, tmp_path, channels):
    theirs = tmp_path / "theirs"
    _write_bundle(theirs, _theirs(channels))
    before = {path: path.read_bytes() for path in theirs.rglob("*") if path.is_file()}
    brain = _brains(channels)
    attacked = brain.copy()
    attacked[-1] = _tampered(brain[-1])
    reform = Reform(load_reformer(guard_dir), 1, slice_size=(SIDE, SIDE))
    for name, image in (("clean", brain), ("attacked", attacked)):
        _save(tmp_path / "data" / name, image)
        _save(tmp_path / "reformed" / name, reform(image))
    guarded = segment(theirs, tmp_path / "data", guarded=True)
    plain = segment(theirs, tmp_path / "reformed", guarded=False)
    unguarded = segment(theirs, tmp_path / "data", guarded=False)
    for name, rejected in (("clean", []), ("attacked", TAMPERED)):
        file = f"{name}/0_trans.nii.gz"
        assert np.array_equal(nib.load(guarded / file).affine, nib.load(tmp_path / "data" / name / "0.nii.gz").affine)
        expected = _upright(plain / file)
        assert len(np.unique(expected)) > 1
        assert not np.array_equal(expected, _upright(unguarded / file))
        expected[:, :, rejected] = REJECTED
        assert np.array_equal(_upright(guarded / file), expected)
    assert {path: path.read_bytes() for path in theirs.rglob("*") if path.is_file()} == before


def test_channels_that_are_not_guarded_pass(segment, tmp_path):
    theirs = tmp_path / "theirs"
    _write_bundle(theirs, _theirs(2))
    brain = _brains(2)
    _save(tmp_path / "data" / "a", np.stack([brain[0], _tampered(brain[1])]))
    first = segment(theirs, tmp_path / "data", guarded=True, **{"guard#channels": [0], "guard#label": 77})
    assert not (_upright(first / "a/0_trans.nii.gz") == 77).any()
    second = segment(theirs, tmp_path / "data", guarded=True, **{"guard#channels": [1], "guard#label": 77})
    marked = (_upright(second / "a/0_trans.nii.gz") == 77).all((0, 1, 3))
    assert np.flatnonzero(marked).tolist() == TAMPERED


def test_a_2d_network_with_its_slice_inferer(segment, tmp_path):
    theirs = tmp_path / "theirs"
    config = _theirs(1)
    config["network_def"]["spatial_dims"] = 2
    config["inferer"] = {"_target_": "SliceInferer", "roi_size": [24, 24], "spatial_dim": 2}
    _write_bundle(theirs, config)
    _save(tmp_path / "data" / "a", _tampered(_brains(1)[0])[None])
    marked = (_upright(segment(theirs, tmp_path / "data", guarded=True) / "a/0_trans.nii.gz") == REJECTED).all(
        (0, 1, 3)
    )
    assert np.flatnonzero(marked).tolist() == TAMPERED


def test_command_line(bundles, guard_dir, tmp_path):
    """As users run it: two configurations, one of them not theirs."""
    theirs = tmp_path / "theirs"
    _write_bundle(theirs, _theirs(1))
    _save(tmp_path / "data" / "a", _tampered(_brains(1)[0])[None])
    overlay = bundles / "brain_mri_defended_segmentation" / "configs" / "guard_spectral.json"
    command = ["-m", "monai.bundle", "run", "--bundle_root", str(theirs)]
    command += ["--config_file", f"['{theirs}/configs/inference.json', '{overlay}']"]
    command += ["--dataset_dir", str(tmp_path / "data"), "--output_dir", str(tmp_path / "out")]
    done = run_python([*command, "--guard_dir", str(guard_dir)])
    assert done.returncode == 0, done.stderr
    marked = (_upright(tmp_path / "out" / "a/0_trans.nii.gz") == REJECTED).all((0, 1, 3))
    assert np.flatnonzero(marked).tolist() == TAMPERED


def test_a_missing_guard_ends_the_run_with_one_line(segment, tmp_path, capfd):
    theirs = tmp_path / "theirs"
    _write_bundle(theirs, _theirs(1))
    _save(tmp_path / "data" / "a", _brains(1))
    with pytest.raises(RuntimeError) as error:
        segment(theirs, tmp_path / "data", guarded=True, **{"guard#bundle": str(tmp_path / "nowhere")})
    with pytest.raises(SystemExit):
        sys.excepthook(error.type, error.value, error.tb)
    assert "/nowhere: expected a bundle, a folder with" in capfd.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("suffix", ["json", "yaml"])  # MONAI reads YAML where it is installed
def test_assembled_copy_is_self_contained(bundles, guard_dir, segment, tmp_path, suffix):
    theirs, whole, guard = tmp_path / "theirs", tmp_path / "new" / "whole", tmp_path / "guard"
    _write_bundle(theirs, _theirs(2))
    if suffix == "yaml":
        pytest.importorskip("yaml")
        ConfigParser.export_config_file(_theirs(2), theirs / "configs" / "inference.yaml", fmt="yaml")
        (theirs / "configs" / "inference.json").unlink()
    shutil.copytree(guard_dir, guard)
    brain = _brains(2)
    _save(tmp_path / "data" / "a", np.stack([brain[0], _tampered(brain[1])]))
    expected = segment(theirs, tmp_path / "data", guarded=True)
    (tmp_path / "new").mkdir()
    assert assemble(guard, guard, theirs, whole) == whole / "configs" / f"inference.{suffix}"
    # Nothing outside the copy is needed any more.
    shutil.rmtree(theirs)
    shutil.rmtree(guard)
    found = segment(whole, tmp_path / "data", guarded=False)
    assert np.array_equal(_upright(found / "a/0_trans.nii.gz"), _upright(expected / "a/0_trans.nii.gz"))
    assert (_upright(found / "a/0_trans.nii.gz")[:, :, TAMPERED] == REJECTED).all()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["whole"]


def test_the_overlay_has_the_settings_of_the_assembled_copy(bundles, guard_dir, tmp_path):
    _write_bundle(tmp_path / "theirs", _theirs(1))
    path = assemble(guard_dir, guard_dir, tmp_path / "theirs", tmp_path / "whole")
    overlay = bundles / "brain_mri_defended_segmentation" / "configs" / "guard_spectral.json"
    settings = [json.loads(file.read_text())["guard"] for file in (path, overlay)]
    for setting in settings:
        setting.pop("bundle")
    settings[0].pop("reformer_bundle")
    assert settings[0] == settings[1]


def test_a_bundle_without_transforms_cannot_be_copied(guard_dir, tmp_path):
    config = _theirs(1)
    del config["postprocessing"]
    (tmp_path / "theirs" / "configs").mkdir(parents=True)
    (tmp_path / "theirs" / "configs" / "inference.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"theirs/configs/inference\.json: expected an entry 'postprocessing'"):
        assemble(guard_dir, guard_dir, tmp_path / "theirs", tmp_path / "whole")
    assert not (tmp_path / "whole").exists()


def test_a_folder_that_cannot_be_written_leaves_nothing(guard_dir, tmp_path):
    _write_bundle(tmp_path / "theirs", _theirs(1))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file/whole"):
        assemble(guard_dir, guard_dir, tmp_path / "theirs", tmp_path / "file" / "whole")


def test_the_guard_computes_what_the_composite_computes(bundles, tmp_path):
    """With the real networks: on the loaded volume, and behind the preprocessing of their bundle."""
    bundle = bundles / "brain_mri_defended_segmentation"
    brain, _ = brain_phantom((50, 8, 44), seed=0)
    _save(tmp_path, np.pad(brain, ((3, 9), (0, 4), (6, 1)))[None])
    file = tmp_path / "0.nii.gz"
    guard = Guard.from_bundle(bundle)
    parser = ConfigParser(ConfigParser.load_config_file(bundle / "configs" / "inference.json"))
    slices = parser.get_parsed_content("preprocessing")({"image": str(file)})["image"].as_tensor()
    slices = slices.movedim(2, 0)
    with torch.no_grad():
        expected_score, expected = guard.detector.score(slices), guard.reformer(slices)
    assert list(guard.slice_size) == [192, 192]
    settings = {"axcodes": "RAS", "slice_size": guard.slice_size}
    loaded = LoadImage(ensure_channel_first=True)(file)

    score, _ = DetectAdversarial(guard.detector, 1, **settings)(loaded)
    torch.testing.assert_close(score[score > 0], expected_score, rtol=1e-4, atol=1e-4)

    box = CropForeground(allow_smaller=True)
    upright = Orientation("RAS", labels=None)
    top = np.percentile(box(upright(loaded)), 99.5)
    reformed = upright(Reform(guard.reformer, 1, **settings)(loaded))[_bounding_box(upright(loaded))] / top
    reformed = SpatialPad((192, -1, 192))(reformed).as_tensor().movedim(2, 0)
    torch.testing.assert_close(reformed, torch.where(slices > 0, expected, 0), rtol=0, atol=1e-4)


def _bounding_box(image) -> tuple:
    return tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(image.numpy()))
