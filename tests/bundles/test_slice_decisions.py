"""What MONAI Label's JSON answer says about a volume and its slices, see docs/monai-label.md."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from monai_advdefense.data.phantom import write_phantom_dataset
from monai_advdefense.guard.causes import CAUSES
from monai_advdefense.guard.verdict_entries import verdict_entries
from monai_advdefense.weights import load_weights

# Coronal slices of the input that are darker than the others.
DARK = [4, 5, 17]


def _network(slices):
    """Rejects dark slices, and calls the others class 1."""
    dark = (slices.amax(dim=(1, 2, 3)) < 0.5).float().reshape(-1, 1, 1)
    logits = torch.zeros(len(slices), 29, *slices.shape[2:])
    logits[:, 1] = 1 - dark
    logits[:, 28] = dark
    return logits


@pytest.fixture(scope="module")
def host(bundles):
    """Configurations as a host reads them: it sets the bundle_root, and knows no handlers."""

    def parser(*configs):
        root = bundles / "brain_mri_defended_segmentation"
        files = [root / "configs" / f"{name}.json" for name in configs]
        read = ConfigParser(ConfigParser.load_config_files(files))
        read.update({"bundle_root": str(root), "device": "$torch.device('cpu')"})
        return read

    return parser


@pytest.fixture(scope="module")
def sections(host):
    parser = host("inference", "combined")
    return [parser.get_parsed_content(name) for name in ("preprocessing", "inferer", "postprocessing")]


@pytest.mark.parametrize("degrees", [(0, 0), (20, 0), (40, 25)])
@pytest.mark.parametrize(("codes", "coronal"), [("RAS", 1), ("PIR", 0), ("ILA", 2), ("LPS", 1)])
def test_rejected_slices_are_counted_along_the_coronal_axis_of_the_input(codes, coronal, degrees, sections, tmp_path):
    preprocessing, inferer, postprocessing = sections
    shape = [20, 20, 20]
    shape[coronal] = 30
    values = np.full(shape, 1000, dtype=np.int16)
    np.moveaxis(values, coronal, 0)[DARK] = 100
    oblique = np.diag([2.0, 1.0, 1.0, 1.0])
    for turn, plane in zip(np.radians(degrees), (slice(1, 3), slice(0, 2)), strict=True):
        rotation = np.eye(4)
        rotation[plane, plane] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        oblique = rotation @ oblique
    to_voxels = nib.orientations.inv_ornt_aff(nib.orientations.axcodes2ornt(codes), shape)
    affine = oblique @ np.linalg.inv(to_voxels)
    assert nib.aff2axcodes(affine) == tuple(codes)
    nib.save(nib.Nifti1Image(values, affine), tmp_path / "a.nii.gz")

    case = preprocessing({"image": tmp_path / "a.nii.gz"})
    case["pred"] = inferer(case["image"][None], _network)[0]
    result = postprocessing(case)

    assert result["result"] == {"guard": {"slice_axis": coronal, "slices": 30, "rejected_slices": DARK}}
    # MONAI Label writes it as JSON.
    assert json.loads(json.dumps(result["result"])) == result["result"]
    assert result["pred"].shape == (1, *shape)
    assert (np.moveaxis(result["pred"][0].numpy(), coronal, 0)[DARK] == 28).all()


def test_a_host_that_builds_inferer_and_postprocessing_alone_gets_the_verdict_of_the_screen(host, tmp_path):
    folder = write_phantom_dataset(tmp_path, 1, shape=(60, 40, 60)) / "images"
    parser, seen = host("inference"), []
    network = parser.get_parsed_content("network").eval()
    load_weights(parser.get_parsed_content("ckpt_path"), network, require_calibrated=True)
    case = parser.get_parsed_content("preprocessing")({"image": next(folder.iterdir())})
    inferer = parser.get_parsed_content("inferer")
    with torch.no_grad(), inferer.screen.register_forward_hook(lambda _, __, output: seen.append(output)):
        case["pred"] = inferer(case["image"][None], network)[0]
    found = parser.get_parsed_content("postprocessing")(case)["result"]["guard"]
    (screened,) = seen
    # A phantom is no brain.
    assert screened.verdict.verdict == found["verdict"] == "reject"
    assert found["cause"] in CAUSES
    assert {name: found[name] for name in found if name in verdict_entries(None, None)} == json.loads(
        json.dumps(verdict_entries(screened.verdict, screened.dice))
    )
    assert len(found["predicted_dice"]["structures"]) == 27
    marked = (case["pred"][0] == 28).movedim(1, 0).flatten(1).any(dim=1)
    assert torch.equal(marked, ~screened.accepted)
    assert len(found["rejected_slices"]) == found["rejected"] > 0
