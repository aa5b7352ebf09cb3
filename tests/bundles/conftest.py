from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser, create_workflow
from monai.utils import set_determinism

from monai_advdefense.data.phantom import write_phantom_dataset
from monai_advdefense.data.template_datalist import SPLIT_SEEDS

SOURCE = Path(__file__).parents[2] / "bundles"
NAMES = ("brain_mri_segmentation", "brain_mri_detector", "brain_mri_reformer", "brain_mri_defended_segmentation")

# Phantoms fit into slices of 48 x 48, which are 16 times quicker than the real ones.
SIDE = 48
CLASSES = 4
SMALL_INFERENCE = {"slice_size": [SIDE, SIDE]}
SMALL_TRAINING = {
    "slice_size": [SIDE, SIDE],
    "train_size": [SIDE, SIDE],
    "num_classes": CLASSES,
    "epochs": 2,
    "every": 4,
    "batch_size": 2,
}


@pytest.fixture(scope="session")
def bundles() -> Path:
    """Folder of the bundles in the repository."""
    return SOURCE


@pytest.fixture(scope="session", params=NAMES)
def source(request: pytest.FixtureRequest) -> Path:
    """Each bundle in the repository."""
    return SOURCE / str(request.param)


@pytest.fixture(scope="session")
def write_weights() -> Callable[..., dict[str, Any]]:
    """Writes random weights for a bundle's network; if a threshold is given, calibrated with it in place of NaN."""
    return _write_weights


def _write_weights(bundle: Path, seed: int = 0, threshold: float | None = None, **overrides: Any) -> dict[str, Any]:
    parser = ConfigParser(ConfigParser.load_config_file(bundle / "configs" / "inference.json"))
    parser.update(overrides)
    torch.manual_seed(seed)
    state = parser.get_parsed_content("network_def").state_dict()
    if threshold is not None:
        for key in state:
            if key.endswith("threshold"):
                state[key].fill_(threshold)
            elif key.startswith("combination."):
                state[key].fill_(1.0)
    (bundle / "models").mkdir(exist_ok=True)
    torch.save(state, bundle / "models" / "model.pt")
    return state


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run in a folder that is no bundle, and leave the random state as it was."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield
    set_determinism(None)


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One phantom for each split, in the layout of the real data set; enough slices to calibrate with."""
    return write_phantom_dataset(tmp_path_factory.mktemp("phantoms"), 4, shape=(40, 32, 40), classes=CLASSES)


@pytest.fixture(scope="session")
def samples(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same phantoms in the layout of the template samples, which take too long to make."""
    folder = tmp_path_factory.mktemp("samples")
    for scan, seeds in zip(sorted((phantoms / "images").iterdir()), SPLIT_SEEDS.values(), strict=True):
        for kind in ("images", "tissue"):
            (folder / kind).mkdir(exist_ok=True)
            shutil.copy(scan, folder / kind / f"sample_{seeds[0]:03d}.nii.gz")
    return folder


@pytest.fixture(scope="session")
def copy_bundle(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Copies of a bundle without weights, in a folder of its own."""

    def copy(name: str) -> Path:
        target = tmp_path_factory.mktemp("copies") / name
        shutil.copytree(SOURCE / name, target, ignore=shutil.ignore_patterns("models", "runs", "eval"))
        return target

    return copy


def _as_process(run: Callable[[], Any]) -> Callable[[], Any]:
    """What nobody catches goes to ``sys.excepthook``."""

    def wrapped() -> Any:
        try:
            return run()
        except Exception as error:
            sys.excepthook(type(error), error, error.__traceback__)
            raise

    return wrapped


@pytest.fixture
def workflow(phantoms: Path, samples: Path) -> Callable[..., Any]:
    """An initialized workflow of a bundle on the phantoms, from configuration files by name.

    Its ``run`` ends on an error as a process of its own does.
    """

    def create(bundle: Path, *configs: str, kind: str = "train", **overrides: Any) -> Any:
        small = SMALL_TRAINING if kind == "train" else SMALL_INFERENCE
        folders = {"dataset_dir": str(phantoms)} | ({"sample_dir": str(samples)} if kind == "train" else {})
        with warnings.catch_warnings():
            # MONAI warns on every run that a configuration is code.
            warnings.simplefilter("ignore", UserWarning)
            created = create_workflow(
                config_file=[str(bundle / "configs" / f"{config}.json") for config in configs],
                workflow_type=kind,
                bundle_root=str(bundle),
                logging_file=False,
                **{"device": "$torch.device('cpu')", **folders, **small, **overrides},
            )
        created.run = _as_process(created.run)
        return created

    return create
