"""The shipped weights of the composite on whole brains, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, load
from scipy.ndimage import binary_dilation

from monai_advdefense.data.malc2012 import malc2012_datalist, malc2012_source_labels
from monai_advdefense.metrics import dice_from_counts, overlap_counts
from monai_advdefense.transforms import MergeLabels
from monai_advdefense.weights import load_weights
from tests.run_python import run_python

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "bundles" / "brain_mri_defended_segmentation"
MALC = ROOT.parent / "shared" / "data" / "malc2012"
REJECTED = 28


def run_composite(inputs: Path, outputs: Path, *overlays: str, **settings: int) -> None:
    """Run the bundle as the README says, from another working directory."""
    configs = [str(BUNDLE / "configs" / f"{name}.json") for name in ("inference", *overlays)]
    command = ["-m", "monai.bundle", "run", "--bundle_root", str(BUNDLE)]
    command += ["--config_file", str(configs)]
    command += ["--dataset_dir", str(inputs), "--output_dir", str(outputs)]
    command += [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    done = run_python(command, cwd=inputs.parent)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(("overlays", "key"), [([], "combination.threshold"), (["spectral"], "detector.threshold")])
def test_the_shipped_weights_decide_by_the_sum_and_by_the_spectral_score(overlays, key):
    parser = ConfigParser()
    parser.read_config([str(BUNDLE / "configs" / f"{name}.json") for name in ["inference", *overlays]])
    network = parser.get_parsed_content("network_def").eval()
    path = BUNDLE / "models" / "model.pt"
    load_weights(path, network, require_calibrated=True)
    stored = torch.load(path, weights_only=True)
    assert network.state_dict().keys() == stored.keys()
    assert network.threshold_key == key
    assert network.threshold == stored[key]
    seen = []
    network.decision.register_forward_hook(lambda _, __, decided: seen.append(decided))
    image = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    image[0] = 0
    with torch.no_grad():
        labels = network(image).argmax(1)
        torch.testing.assert_close(seen[0].score, network.score(image))
    assert seen[0].blank.tolist() == [True, False, False]
    # Noise is no brain.
    assert seen[0].accepted.tolist() == (labels != REJECTED).flatten(1).all(1).tolist() == [True, False, False]


@pytest.mark.parametrize("overlays", [[], ["adversarial"]])
def test_the_shipped_screens_are_calibrated_and_their_records_agree(overlays):
    parser = ConfigParser()
    parser.read_config([str(BUNDLE / "configs" / f"{name}.json") for name in ["inference", *overlays]])
    parser.update({"bundle_root": str(BUNDLE)})
    screen, path = (parser.get_parsed_content(name) for name in ("screen", "screen_path"))
    path = Path(path)
    record = json.loads(path.with_suffix(".calibration.json").read_text(encoding="utf-8"))
    reference = screen.reference.reference()
    assert record["threshold"] == float(screen.threshold)
    assert record["subjects"] == len(reference.subjects) >= 19
    assert record["volume_rate"] == reference.rate == 0.05
    assert record["false_positive_rate"] == 0.03
    assert path.stat().st_size < 4_000_000


@pytest.mark.parametrize("folder", ["", "adversarial"])
def test_the_parts_of_the_shipped_weights_are_those_of_their_bundles(folder):
    parts = {"detector": "brain_mri_detector", "reformer": "brain_mri_reformer", "segmenter": "brain_mri_segmentation"}
    state = torch.load(BUNDLE / "models" / folder / "model.pt", weights_only=True)
    for part, name in parts.items():
        path = ROOT / "bundles" / name / "models" / (folder if part == "segmenter" else "") / "model.pt"
        own = torch.load(path, weights_only=True)
        networks = {key: value for key, value in own.items() if f"{part}.{key}" in state}
        assert len(networks) > 50
        for key, value in networks.items():
            assert torch.equal(state[f"{part}.{key}"], value), (part, key)


def with_skull(brain: np.ndarray) -> np.ndarray:
    """Put a dark skull of 5 mm and a bright scalp of 5 mm around a brain."""
    mask = brain > 0
    skull = binary_dilation(mask, iterations=5)
    scalp = binary_dilation(skull, iterations=5)
    generator = np.random.default_rng(0)
    head = np.where(mask, brain, np.where(skull, generator.normal(90, 20, brain.shape), 0))
    return np.where(scalp & ~skull, generator.normal(1700, 120, brain.shape), head).astype(np.int16)


@pytest.fixture(scope="module")
def sample_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Some slices of a sample brain, the same on a grid of 256 x 256 x 256, and with a skull, through the composite."""
    pytest.importorskip("nilearn")
    from monai_advdefense.data.template_sample import template_sample

    folder = tmp_path_factory.mktemp("trained")
    inputs = folder / "input"
    inputs.mkdir()
    sample = template_sample(901, coronal=(-40, -10))
    before = np.array([40, 20, 30])
    after = 256 - before - sample.image.shape
    shifted = sample.affine.copy()
    shifted[:3, 3] -= sample.affine[:3, :3] @ before
    volumes = {
        "brain": (sample.image, sample.affine),
        "padded": (np.pad(sample.image, list(zip(before, after, strict=True))), shifted),
        "head": (with_skull(np.pad(sample.image, 12)), sample.affine),
    }
    for name, (array, affine) in volumes.items():
        nib.save(nib.Nifti1Image(array, affine), inputs / f"{name}.nii.gz")
    # The screen knows scanned brains alone.
    run_composite(inputs, folder / "output", "combined", **{"write_report#suspicious": 0})
    return inputs, folder / "output"


def scores(output: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Scores and decisions of the slices that are not blank."""
    slices = json.loads((output / f"{name}_scores.json").read_text())["slices"]
    counted = [item for item in slices if item["decision"] != "blank"]
    return np.array([item["score"] for item in counted]), np.array([item["decision"] for item in counted])


def test_clean_sample_is_mostly_accepted(sample_runs: tuple[Path, Path]) -> None:
    _, decisions = scores(sample_runs[1], "brain")
    assert (decisions == "accepted").mean() >= 0.9


def test_report_names_the_false_positive_rate_of_the_shipped_threshold(sample_runs: tuple[Path, Path]) -> None:
    record = json.loads((sample_runs[1] / "brain_scores.json").read_text())
    assert record["provenance"]["false_positive_rate"] == 0.05


def test_padding_changes_neither_labels_nor_scores(sample_runs: tuple[Path, Path]) -> None:
    inputs, outputs = sample_runs
    brain, padded = (np.asarray(nib.load(outputs / f"{name}_seg.nii.gz").dataobj) for name in ("brain", "padded"))
    x, y, z = brain.shape
    np.testing.assert_array_equal(padded[40 : 40 + x, 20 : 20 + y, 30 : 30 + z], brain)
    assert padded.shape == (256, 256, 256)
    np.testing.assert_allclose(scores(outputs, "padded")[0], scores(outputs, "brain")[0], rtol=1e-5)
    assert (nib.load(outputs / "padded_seg.nii.gz").affine == nib.load(inputs / "padded.nii.gz").affine).all()


def test_head_with_skull_is_rejected(sample_runs: tuple[Path, Path]) -> None:
    _, decisions = scores(sample_runs[1], "head")
    assert (decisions == "rejected").mean() >= 0.9


def test_exported_network_gives_the_same_labels(sample_runs: tuple[Path, Path]) -> None:
    network = load(BUNDLE.name, bundle_dir=str(BUNDLE.parent), workflow_type="inference").eval()
    brain = np.asarray(nib.load(sample_runs[0] / "brain.nii.gz").dataobj, dtype=np.float32)
    coronal = torch.from_numpy(np.clip(brain / np.percentile(brain, 99.5), 0, 1)).movedim(1, 0)[::12, None]
    slices = torch.nn.functional.pad(coronal, (9, 9, 13, 14))[..., :192, :192]
    with torch.no_grad():
        expected, found = network(slices), torch.jit.script(network)(slices)
    assert torch.equal(found.argmax(1), expected.argmax(1))


@pytest.mark.skipif(not MALC.is_dir(), reason="the real data set is not there")
def test_real_test_volume(tmp_path: Path) -> None:
    case = malc2012_datalist(MALC, "test")[0]
    inputs = tmp_path / "input"
    inputs.mkdir()
    (inputs / "case.nii.gz").symlink_to(case["image"])
    run_composite(inputs, tmp_path / "output")
    result = nib.load(tmp_path / "output" / "case_seg.nii.gz")
    source, truth = nib.load(case["image"]), nib.load(case["label"])
    assert result.shape == source.shape
    assert (result.affine == source.affine).all()
    labels = torch.from_numpy(np.asarray(result.dataobj).astype(np.int64))
    classes = MergeLabels(malc2012_source_labels(MALC))(torch.from_numpy(np.asarray(truth.dataobj).astype(np.int64)))
    # The voxels of rejected slices are left out on both sides.
    kept = labels != REJECTED
    assert kept.float().mean() > 0.8
    record = json.loads((tmp_path / "output" / "case_scores.json").read_text())
    assert record["verdict"] == "clean"
    assert record["p_value"] > 0.05
    counts = overlap_counts(labels[kept][None], classes[kept][None], REJECTED)
    assert torch.nanmean(dice_from_counts(counts)[0, 1:]) > 0.75
