"""Reports of bundles that know nothing of us, from their JSON."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from monai_advdefense.commands.main import main
from monai_advdefense.commands.robustness import robustness
from monai_advdefense.errors import InputError
from monai_advdefense.robustness.bundle import bundle_parts

METADATA = {
    "network_data_format": {"outputs": {"pred": {"channel_def": {"0": "background", "1": "spleen"}}}},
    "version": "1",
}
QUICK = {"budgets": (0.02,), "attacks": ("fgsm",), "corruptions": ("darker", "JPEG"), "changes": (0.2,)}


def _map(target, **arguments):
    return {"_target_": target, "keys": "image", **arguments}


def _spleen():
    """The layout of the model zoo's spleen bundle: CT, one channel, softmax, sliding windows."""
    network = {"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [4, 8]}
    window = {"a_min": -57, "a_max": 164, "b_min": 0, "b_max": 1, "clip": True}
    return {
        "imports": ["$import glob"],
        "bundle_root": ".",
        "dataset_dir": "/workspace/data",
        "datalist": "$list(sorted(glob.glob(@dataset_dir + '/imagesTs/*.nii.gz')))",
        "network_def": {**network, "strides": [2], "num_res_units": 2, "norm": "batch"},
        "network": "$@network_def.to('cpu')",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                _map("LoadImaged"),
                _map("EnsureChannelFirstd"),
                _map("Orientationd", axcodes="RAS", labels=None),
                _map("Spacingd", pixdim=[1.5, 1.5, 2.0], mode="bilinear"),
                _map("ScaleIntensityRanged", **window),
                _map("EnsureTyped"),
            ],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': i} for i in @datalist]",
            "transform": "@preprocessing",
        },
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [16, 16, 16], "overlap": 0.5},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            ],
        },
    }


def _brats():
    """The layout of the model zoo's BraTS bundle: four contrasts of one case, structures that overlap, a sigmoid."""
    network = {"_target_": "SegResNet", "blocks_down": [1, 1], "blocks_up": [1], "init_filters": 8}
    return {
        "bundle_root": ".",
        "data_list_file_path": "$@bundle_root + '/configs/datalist.json'",
        "dataset_dir": "/workspace/data",
        "test_datalist": (
            "$monai.data.load_decathlon_datalist(@data_list_file_path, data_list_key='testing', base_dir=@dataset_dir)"
        ),
        "network_def": {**network, "in_channels": 4, "out_channels": 3, "dropout_prob": 0.2},
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [_map("LoadImaged"), _map("NormalizeIntensityd", nonzero=True, channel_wise=True)],
        },
        "dataset": {"_target_": "Dataset", "data": "@test_datalist", "transform": "@preprocessing"},
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [240, 240, 160], "overlap": 0.5},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
                {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
            ],
        },
    }


def _bundle(folder, config, metadata=METADATA):
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    torch.manual_seed(0)
    network = ConfigParser(config).get_parsed_content("network_def")
    (folder / "models").mkdir()
    torch.save(network.state_dict(), folder / "models" / "model.pt")
    return folder


def _volume(path, seed, low=-200, high=200, shape=(20, 24, 22)):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)
    nib.save(nib.Nifti1Image(values, np.diag([1.0, -1.2, 1.5, 1.0])), path)
    return values


@pytest.fixture
def spleen(tmp_path):
    for number in range(2):
        values = _volume(tmp_path / "data" / "imagesTs" / f"{number}.nii.gz", number)
        _volume(tmp_path / "data" / "labelsTs" / f"{number}.nii.gz", number)
        label = nib.Nifti1Image((values > 50).astype(np.uint8), np.diag([1.0, -1.2, 1.5, 1.0]))
        nib.save(label, tmp_path / "data" / "labelsTs" / f"{number}.nii.gz")
    return _bundle(tmp_path / "spleen", _spleen())


def test_spleen_with_labels_from_the_command_line(spleen, tmp_path, capsys):
    arguments = ["--budgets", "0.02", "--attacks", "fgsm", "--corruptions", "darker", "JPEG", "--changes", "0.2"]
    data = tmp_path / "data"
    output = tmp_path / "out"
    words = [str(spleen), str(data), "-o", str(output), "--labels", str(data / "labelsTs"), *arguments]
    assert main(["robustness", *words]) == 0
    assert capsys.readouterr().out.strip() == str(output / "robustness.html")
    report = json.loads((output / "robustness.json").read_text())
    assert report["structures"] == ["spleen"]
    assert report["reference"] == "label"
    assert [case["name"] for case in report["cases"]] == ["0.nii.gz", "1.nii.gz"]
    assert 0 < report["claims"]["clean"]["dice"]["estimate"] < 1
    assert report["about"]["network"] == "spleen"
    # As MONAI spells it: the same measurements are there already.
    before = (output / "robustness.json").read_bytes()
    spelled = [str(data), "--bundle_root", str(spleen), "--config_file", str(spleen / "configs" / "inference.json")]
    assert main(["robustness", *spelled, "-o", str(output), *words[5 - 1 :]]) == 0
    again = json.loads((output / "robustness.json").read_bytes())
    assert {**again, "about": 0} == {**json.loads(before), "about": 0}


def test_a_label_lies_on_the_grid_of_the_image(spleen, tmp_path):
    parts = bundle_parts(spleen, tmp_path / "data", labels=tmp_path / "data" / "labelsTs")
    item = parts.data[0]
    assert item["label"].shape == item["image"].shape
    assert item["label"].unique().tolist() == [0, 1]
    inside = item["image"][item["label"] > 0].mean() - item["image"][item["label"] == 0].mean()
    assert inside > 0.2


def in_lps(image):
    """The image as ITK's readers may give it."""
    image.affine = torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0])).to(image.affine) @ image.affine
    image.meta["space"] = "LPS"
    return image


def test_a_label_lies_there_in_either_world(spleen, tmp_path):
    function = f"$__import__({__name__!r}, fromlist=['in_lps']).in_lps"
    transforms = [*_spleen()["preprocessing"]["transforms"], _map("Lambdad", func=function)]
    labels = [
        bundle_parts(spleen, tmp_path / "data", labels=tmp_path / "data" / "labelsTs", overrides=overrides)
        .data[0]["label"]
        .as_tensor()
        for overrides in ({}, {"preprocessing#transforms": transforms})
    ]
    assert labels[0].any()
    assert torch.equal(*labels)


@pytest.mark.parametrize(
    ("transforms", "activation"),
    [
        ([{"_target_": "Activationsd", "keys": "pred", "sigmoid": "$False", "softmax": True}], "softmax"),
        ([{"_target_": "Activationsd", "keys": "pred", "sigmoid": "$1 > 0"}], "sigmoid"),
        ([{"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.0}], "sigmoid"),
        ([{"_target_": "Activationsd", "keys": "pred", "sigmoid": True, "_disabled_": True}], "softmax"),
    ],
)
def test_the_activation_is_what_the_transforms_do(spleen, tmp_path, transforms, activation):
    overrides = {"postprocessing#transforms": transforms}
    assert bundle_parts(spleen, tmp_path / "data", overrides=overrides).settings.activation == activation


@pytest.fixture
def patients(tmp_path):
    """Two patients whose images have the same name, and the size of the label of each."""
    sizes = []
    for number, patient in enumerate(("s1", "s2")):
        values = _volume(tmp_path / "patients" / patient / "t1.nii.gz", number)
        label = nib.Nifti1Image((values > 100 * number).astype(np.uint8), np.diag([1.0, -1.2, 1.5, 1.0]))
        (tmp_path / "theirs" / patient).mkdir(parents=True)
        nib.save(label, tmp_path / "theirs" / patient / "t1.nii.gz")
        sizes.append(float(label.get_fdata().mean()))
    return sizes


def test_images_of_one_name_have_the_labels_of_their_folders(spleen, patients, tmp_path):
    parts = bundle_parts(spleen, tmp_path / "patients", labels=tmp_path / "theirs")
    found = [float(parts.data[number]["label"].float().mean()) for number in range(2)]
    assert found == pytest.approx(patients, abs=0.05)
    assert patients[0] > patients[1] + 0.1


def test_one_label_is_not_taken_for_two_images_of_its_name(spleen, patients, tmp_path):
    (tmp_path / "theirs" / "s1" / "t1.nii.gz").rename(tmp_path / "theirs" / "t1.nii.gz")
    message = r"t1.nii.gz: expected a label \S+s1\St1.nii.gz, found no file there, and several images of its name"
    with pytest.raises(InputError, match=message):
        bundle_parts(spleen, tmp_path / "patients", labels=tmp_path / "theirs")


def test_a_folder_that_the_configuration_does_not_expect(spleen, tmp_path):
    report = robustness(spleen, tmp_path / "data" / "imagesTs", tmp_path / "out", **QUICK)
    assert len(report["cases"]) == 2
    assert report["reference"] == "prediction on the clean image"


def test_brats_with_its_own_list_of_data(tmp_path):
    bundle = _bundle(tmp_path / "brats", _brats(), {"version": "1"})
    contrasts = [f"{contrast}.nii.gz" for contrast in ("t1", "t1ce", "t2", "flair")]
    for number, name in enumerate(contrasts):
        _volume(tmp_path / "data" / name, number, low=0, high=500, shape=(16, 16, 16))
    datalist = {"testing": [{"image": contrasts}]}
    (bundle / "configs" / "datalist.json").write_text(json.dumps(datalist))
    overrides = {"inferer#roi_size": [16, 16, 16]}
    report = robustness(bundle, tmp_path / "data", tmp_path / "out", overrides=overrides, **QUICK)
    assert report["structures"] == ["structure 1", "structure 2", "structure 3"]
    assert report["settings"]["activation"] == "sigmoid"
    assert report["claims"]["clean"]["dice"]["estimate"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bundle": "nowhere"}, "nowhere: expected a bundle"),
        ({"config_files": ("test.json",)}, "test.json: expected a configuration"),
        ({"overrides": {"inferer#roi": 3}}, "did you mean --inferer#roi_size"),
        ({"labels": "absent"}, "absent: expected a folder of labels, found none: check the path"),
        ({"labels": "empty"}, r"0.nii.gz: expected a label empty\S+0.nii.gz or empty\S0.nii.gz, found no file"),
        ({"weights": "none.pt"}, "none.pt"),
        ({"data": "empty"}, "empty: expected NIfTI files"),
        ({"budgets": (0.0,)}, "budgets"),
    ],
)
def test_bad_arguments_are_one_line(spleen, tmp_path, change, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    arguments = {"bundle": spleen, "data": "data", **QUICK, **change}
    with pytest.raises(InputError, match=message) as raised:
        robustness(arguments.pop("bundle"), arguments.pop("data"), tmp_path / "out", **arguments)
    assert "\n" not in str(raised.value)


def test_processes_of_torchrun_share_the_cases(spleen, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, finished in (("1", False), ("0", True)):
        monkeypatch.setenv("RANK", rank)
        report = robustness(spleen, tmp_path / "data", tmp_path / "out", **QUICK)
        assert (report is not None) == finished


def test_the_command_needs_a_bundle_and_images(capsys):
    assert main(["robustness", "spleen", "-o", "out"]) == 2
    assert "expected BUNDLE and INPUT, found spleen" in capsys.readouterr().err


def test_an_entry_that_cannot_be_built_names_the_first_cause(spleen, tmp_path):
    broken = {"network_def": "$1 / 0"}
    with pytest.raises(InputError, match="^network_def: expected an entry that can be built, found division by zero: "):
        robustness(spleen, tmp_path / "data", tmp_path / "out", overrides=broken)
