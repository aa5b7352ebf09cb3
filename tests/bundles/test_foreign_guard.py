"""The screen in front of bundles that know nothing of it: fitted on their own volumes, then run."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from scipy.ndimage import gaussian_filter

from monai_advdefense.bundle_tools.find_bundle import find_bundle
from monai_advdefense.commands.calibrate import calibrate
from monai_advdefense.commands.guard import guard
from monai_advdefense.commands.main import main
from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.errors import BatchError, CalibrationError, InputError

SHAPE = (32, 26, 30)
RATES = {"false_alarm_rate": 0.1, "volume_rate": 0.1}
CLASSES = {"0": "nothing", "1": "dark tissue", "2": "bright tissue"}


def _config(channels: int, *, flat: bool, sigmoid: bool) -> dict:
    """A bundle of MONAI's own parts: intensities become classes, on another grid and in another orientation."""
    grid = [] if flat else [
        {"_target_": "Orientationd", "keys": "image", "axcodes": "LPS", "labels": None},
        {"_target_": "Spacingd", "keys": "image", "pixdim": [1.1, 1.2, 0.9]},
    ]  # fmt: skip
    labels = (
        [{"_target_": "Activationsd", "keys": "pred", "sigmoid": True}]
        + [{"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5}]
        if sigmoid
        else [{"_target_": "AsDiscreted", "keys": "pred", "argmax": True}]
    )
    invert = {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image"}
    save = {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir", "output_dtype": "uint8"}
    save |= {"separate_folder": False, "data_root_dir": "@dataset_dir", "print_log": False, "output_postfix": "seg"}
    return {
        "imports": ["$import glob"],
        "bundle_root": ".",
        "dataset_dir": "data",
        "output_dir": "out",
        "ckpt_path": "$@bundle_root + '/models/other.pt'",
        "device": "$torch.device('cpu')",
        "network_def": {
            "_target_": f"torch.nn.Conv{2 if flat else 3}d",
            "in_channels": channels,
            "out_channels": 2 if sigmoid else 3,
            "kernel_size": 1,
        },
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "EnsureChannelFirstd", "keys": "image", **({"channel_dim": -1} if channels > 1 else {})},
                *grid,
                {"_target_": "ScaleIntensityd", "keys": "image"},
            ],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': path} for path in sorted(glob.glob(@dataset_dir + '/*.nii.gz'))]",
            "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1},
        "inferer": {"_target_": "SimpleInferer"},
        "postprocessing": {"_target_": "Compose", "transforms": [*([] if flat else [invert]), *labels, save]},
        "handlers": [
            {
                "_target_": "CheckpointLoader",
                "load_path": "@ckpt_path",
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
        # As older bundles of the zoo call it.
        "evaluating": ["$@evaluator.run()"],
    }


def _write_bundle(folder: Path, channels: int = 1, *, flat: bool = False, sigmoid: bool = False) -> Path:
    config = _config(channels, flat=flat, sigmoid=sigmoid)
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    described = {
        "name": "Theirs",
        "version": "7",
        "network_data_format": {"outputs": {"pred": {"channel_def": CLASSES}}},
    }
    (folder / "configs" / "metadata.json").write_text(json.dumps(described))
    network = ConfigParser(config).get_parsed_content("network_def")
    weight, bias = torch.tensor([-30.0, 0.0, 30.0]), torch.tensor([4.0, 0.0, -16.0])
    kept = slice(1, None) if sigmoid else slice(None)
    state = network.state_dict()
    state["weight"].zero_()[:, 0] = (weight + 30 * sigmoid)[kept].view(-1, *[1] * (state["weight"].ndim - 2))
    state["bias"].copy_((bias - 4 * sigmoid)[kept])
    (folder / "models").mkdir()
    torch.save(state, folder / "models" / "other.pt")
    # Weights that the configuration does not load.
    torch.save({}, folder / "models" / "model.pt")
    return folder


def _volume(seed: int, channels: int) -> np.ndarray:
    parts = [brain_phantom(SHAPE, seed=seed + 500 * number)[0].astype(np.float32) for number in range(channels)]
    return np.stack(parts, axis=-1) if channels > 1 else parts[0]


def _save(folder: Path, name: str, values: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    image = nib.Nifti1Image(values, np.eye(4))
    turn = nib.orientations.axcodes2ornt("PIR")
    nib.save(image.as_reoriented(turn) if values.ndim == 3 else image, folder / f"{name}.nii.gz")


def _blurred(values: np.ndarray) -> np.ndarray:
    smooth = gaussian_filter(values, (1.5, 0, 1.5, 0)[: values.ndim])
    return np.where(values > 0, np.maximum(smooth, 1), 0)


def _verdicts(output: Path) -> dict[str, tuple[str, str]]:
    with (output / "report.csv").open(encoding="utf-8", newline="") as file:
        return {row["input"].split(".")[0]: (row["verdict"], row["cause"]) for row in csv.DictReader(file)}


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _fit(folder: Path, channels: int = 1, *, sigmoid: bool = False) -> tuple[Path, Path, dict[Path, bytes]]:
    """A bundle, the file of its guard, fitted on nine volumes, and the files of the bundle before."""
    theirs = _write_bundle(folder / "theirs", channels, sigmoid=sigmoid)
    before = _files(theirs)
    for seed in range(9):
        _save(folder / "clean", f"c{seed}", _volume(seed, channels))
    calibrate(folder / "clean", folder / "screen.pt", network=theirs, **RATES)
    return theirs, folder / "screen.pt", before


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """See :func:`_fit`."""
    return _fit(tmp_path_factory.mktemp("fitted"))


@pytest.mark.parametrize(("channels", "sigmoid"), [(1, False), (2, True)])
def test_a_volume_network_is_guarded_after_a_fit_on_its_own_volumes(fitted, tmp_path, capsys, channels, sigmoid):
    theirs, screen, before = fitted if channels == 1 else _fit(tmp_path, channels, sigmoid=sigmoid)
    clean = _volume(40, channels)
    half = clean.copy()
    half[: SHAPE[0] // 2] = 0
    for name, values in (("clean", clean), ("blurred", _blurred(clean)), ("half", half)):
        _save(tmp_path / "data", name, values)

    guard(theirs, tmp_path / "data", tmp_path / "out", screen_file=screen)

    verdicts = _verdicts(tmp_path / "out")
    assert verdicts["clean"] == ("clean", "")
    assert verdicts["blurred"] == ("reject", "smooth")
    assert verdicts["half"] in (("review", "anatomy"), ("reject", "anatomy"))
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("clean.nii.gz: clean, ") for line in lines)
    assert any("blurred.nii.gz: reject, a smooth image" in line and line.endswith("calibrate") for line in lines)
    for name in ("clean", "blurred"):
        record = json.loads((tmp_path / "out" / f"{name}_scores.json").read_text())
        seg = nib.load(tmp_path / "out" / f"{name}_seg.nii.gz")
        marked = np.asarray(seg.dataobj).reshape(*seg.shape[:3], -1) == 255
        codes = nib.orientations.aff2axcodes(seg.affine)
        axis = next(number for number, code in enumerate(codes) if code in "AP")
        rejected = sorted(entry["input_index"] for entry in record["slices"] if entry["decision"] == "rejected")
        assert np.flatnonzero(np.moveaxis(marked, axis, 0).reshape(marked.shape[axis], -1).all(1)).tolist() == rejected
        assert record["segmentation"] == str(tmp_path / "out" / f"{name}_seg.nii.gz")
    page = (tmp_path / "out" / "clean_report.html").read_text()
    assert "bright tissue" in page
    assert "hippocampus" not in page
    assert "Theirs 7" in page
    assert hashlib.sha256((theirs / "models" / "other.pt").read_bytes()).hexdigest() in page
    assert hashlib.sha256((theirs / "models" / "model.pt").read_bytes()).hexdigest() not in page
    assert hashlib.sha256(screen.read_bytes()).hexdigest() in page
    assert _files(theirs) == before


def test_the_screen_is_fitted_for_our_own_segmenter_as_well_and_its_bundle_is_left_as_it_is(bundles, tmp_path):
    shipped = bundles / "brain_mri_segmentation" / "configs"
    ours = _write_bundle(tmp_path / "ours", flat=True)
    small = {"network_def": _config(1, flat=True, sigmoid=False)["network_def"], "slice_size": [48, 48]}
    for name, config in (("inference", json.loads((shipped / "inference.json").read_text())), ("small", small)):
        (ours / "configs" / f"{name}.json").write_text(json.dumps(config))
    shutil.copy(ours / "models" / "other.pt", ours / "models" / "model.pt")
    before = _files(ours)
    for seed in range(9):
        _save(tmp_path / "clean", f"c{seed}", _volume(seed, 1))
    named = {"config_files": ("inference", "small")}
    # A second fit finds no volume done already.
    for rates in ({"false_alarm_rate": 0.2, "volume_rate": 0.2}, RATES):
        calibrate(tmp_path / "clean", tmp_path / "screen.pt", network=ours, **named, **rates)
    assert _files(ours) == before
    _save(tmp_path / "data", "clean", _volume(40, 1))
    _save(tmp_path / "data", "blurred", _blurred(_volume(40, 1)))
    (tmp_path / "data" / "bad.nii.gz").write_text("no image")
    with pytest.raises(InputError, match=r"bad\.nii\.gz: .* \(1 of 3 volumes failed\)"):
        guard(ours, tmp_path / "data", tmp_path / "out", screen_file=tmp_path / "screen.pt", **named)
    assert _verdicts(tmp_path / "out") == {"blurred": ("reject", "smooth"), "clean": ("clean", "")}


def test_files_that_cannot_be_read_cost_themselves_alone(fitted, tmp_path, capfd):
    theirs, screen, _ = fitted
    for name in ("a", "c", "d"):
        _save(tmp_path / "data", name, _volume(40, 1))
    whole = (tmp_path / "data" / "a.nii.gz").read_bytes()
    (tmp_path / "data" / "b.nii.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "data" / "d.nii.gz").write_bytes(b"")
    words = ["guard", theirs, tmp_path / "data", "-o", tmp_path / "out", "--screen", screen]
    assert main([*map(str, words)]) == 2
    told = capfd.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in told if line.startswith("failed: ")] == [
        str(tmp_path / "data" / f"{name}.nii.gz") for name in ("b", "d")
    ]
    assert told[-1].endswith("(2 of 4 volumes failed)")
    assert {name: verdict for name, (verdict, _) in _verdicts(tmp_path / "out").items()} == {
        "a": "clean", "b": "failed", "c": "clean", "d": "failed",
    }  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "out").glob("*_seg.nii.gz")) == ["a_seg.nii.gz", "c_seg.nii.gz"]


def test_without_a_fit_nothing_is_called_clean_and_the_way_out_is_named(tmp_path, capsys):
    theirs = _write_bundle(tmp_path / "theirs")
    _save(tmp_path / "data", "a", _volume(0, 1))
    guard(theirs, tmp_path / "data", tmp_path / "out")
    assert _verdicts(tmp_path / "out") == {"a": ("not_checked", "")}
    assert (np.asarray(nib.load(tmp_path / "out" / "a_seg.nii.gz").dataobj) == 255).all()
    record = json.loads((tmp_path / "out" / "a_scores.json").read_text())
    assert {entry["decision"] for entry in record["slices"]} == {"not_checked"}
    told = capsys.readouterr()
    assert "advdefense calibrate CLEAN_VOLUMES --network BUNDLE" in told.out
    assert told.err.splitlines()[0].startswith("warning: the guard is not calibrated for this network: fit it")
    assert "advdefense calibrate CLEAN_VOLUMES --network BUNDLE" in (tmp_path / "out" / "a_report.html").read_text()


def test_rates_that_the_volumes_cannot_carry_are_refused_before_anything_is_computed(tmp_path):
    theirs = _write_bundle(tmp_path / "theirs")
    _save(tmp_path / "data", "a", _volume(0, 1))
    with pytest.raises(CalibrationError, match="at least 19 subjects for a rate of 0.05 of volumes, found 1"):
        calibrate(tmp_path / "data", tmp_path / "screen.pt", network=theirs)
    assert not (tmp_path / "screen.pt").exists()


class Odd(torch.nn.Conv3d):
    """A network that gives something else for a volume with a side of 13."""

    def __init__(self, odd, **settings):
        super().__init__(**settings)
        self.odd = odd

    def forward(self, image):
        found = super().forward(image)
        if 13 not in image.shape or self.odd is None:
            return found
        return {"crop": found[..., 1:], "classes": torch.cat([found, found], dim=1), "list": [found]}[self.odd]


@pytest.mark.parametrize(
    ("odd", "shape", "found"),
    [
        (None, (10, 12), r"b\.nii\.gz: axcodes: expected an image \(C, X, Y, Z\), found"),
        (
            None,
            (10, 12, 11, 2),
            r"theirs: expected .*, found RuntimeError: .* but got 2 channels instead \(\S+/b\.nii\.gz\)",
        ),
        (
            "none",
            (10, 13, 11),
            r"theirs: expected a bundle that runs .*, found KeyError: 'none' \(\S+/b\.nii\.gz\): does",
        ),
        ("crop", (10, 13, 11), r"b\.nii\.gz: prediction: expected one on the grid of its image"),
        ("list", (10, 13, 11), r"b\.nii\.gz: prediction: expected one on the grid of its image"),
        (
            "classes",
            (10, 13, 11),
            r"b\.nii\.gz: expected a volume of 3 classes, as \S+/a.nii.gz, found 6: calibrate on",
        ),
    ],
)
def test_a_volume_that_a_calibration_cannot_take_is_named(tmp_path, odd, shape, found):
    theirs = _write_bundle(tmp_path / "theirs")
    config = json.loads((theirs / "configs" / "inference.json").read_text())
    config["network_def"] |= {"_target_": f"{__name__}.Odd", "odd": odd}
    # Voxels stay where they are.
    del config["preprocessing"]["transforms"][3]
    (theirs / "configs" / "inference.json").write_text(json.dumps(config))
    generator = np.random.default_rng(0)
    for name in "abcde":
        values = generator.uniform(0, 1, shape if name == "b" else (10, 12, 11)).astype(np.float32)
        _save(tmp_path / "clean", name, values)
    with pytest.raises(InputError, match=found):
        calibrate(tmp_path / "clean", tmp_path / "screen.pt", network=theirs, volume_rate=0.2)
    assert not (tmp_path / "screen.pt").exists()


def test_settings_of_a_guard_need_a_network(tmp_path):
    with pytest.raises(InputError, match="--value-range: expected --network beside it"):
        calibrate(tmp_path, tmp_path / "screen.pt", value_range=[0, 1])


def test_a_screen_of_other_settings_or_another_network_is_refused(fitted, tmp_path):
    theirs, screen, _ = fitted
    data = tmp_path / "data"
    _save(data, "a", _volume(80, 1))
    with pytest.raises(
        InputError, match=r"guard#smoothing: expected 0\.75 as in .*found 2: give guard#smoothing 0\.75"
    ):
        guard(theirs, data, tmp_path / "out", screen_file=screen, smoothing=2)
    other = _write_bundle(tmp_path / "other", sigmoid=True)
    config = json.loads((other / "configs" / "inference.json").read_text())
    config["network_def"]["out_channels"] = 4
    (other / "configs" / "inference.json").write_text(json.dumps({**config, "handlers": []}))
    with pytest.raises(InputError, match="prediction: expected 3 classes, as fitted, found 5"):
        guard(other, data, tmp_path / "other_out", screen_file=screen)
    composite = find_bundle("brain_mri_defended_segmentation") / "models" / "screen" / "model.pt"
    with pytest.raises(InputError, match="the record of a guard for this network"):
        guard(theirs, data, tmp_path / "third", screen_file=composite)


def test_a_batch_of_suspicious_volumes_raises_the_alarm(fitted, tmp_path):
    theirs, screen, _ = fitted
    for number in range(4):
        _save(tmp_path / "data", f"b{number}", _blurred(_volume(80 + number, 1)))
    with pytest.raises(BatchError, match="found 4 of 4"):
        guard(theirs, tmp_path / "data", tmp_path / "out", screen_file=screen, fail_on_alarm=True)
    assert len(_verdicts(tmp_path / "out")) == 4
    with (tmp_path / "out" / "report.csv").open(encoding="utf-8", newline="") as file:
        (batch,) = {row["batch"] for row in csv.DictReader(file)}
    assert batch.startswith("too many suspicious: 4 of 4")
    assert "Too many volumes are suspicious." in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
