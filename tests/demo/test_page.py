from __future__ import annotations

from html.parser import HTMLParser

import nibabel as nib
import numpy as np
import pytest
import torch

from demo.page import write_page
from monai_advdefense.bundle_tools.find_bundle import find_bundle
from monai_advdefense.errors import InputError
from monai_advdefense.guard.screen import Screened
from monai_advdefense.guard.verdict import VolumeVerdict
from monai_advdefense.report import case_from_scores, case_to_json

COUNT = 4


class _Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.words, self.links, self.pictures, self.classes = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "a":
            self.links.append(found["href"])
        if tag == "img":
            self.pictures.append(found)
        if tag == "article":
            self.classes.append(found["class"])

    def handle_data(self, data):
        self.words.append(data.strip())


def _write(folder, name, verdict, cause):
    """What a volume and its results look like."""
    brain = np.zeros((20, COUNT, 18), np.float32)
    brain[4:16, :, 4:14] = 500
    labels = np.where(brain > 0, 3, 0).astype(np.uint8)
    accepted = torch.full((COUNT,), verdict == "clean")
    for path, values in ((folder / f"{name}.nii.gz", brain), (folder / "out" / f"{name}_seg.nii.gz", labels)):
        path.parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    rejected = 0 if verdict == "clean" else COUNT
    found = VolumeVerdict(verdict, cause, "in words", "texture", 0.05, COUNT, rejected, 0.1)
    flags = {"accepted": accepted, "blank": torch.zeros(COUNT, dtype=torch.bool), "judged": torch.ones(COUNT).bool()}
    names = (cause,) * COUNT
    told = {"spoke": names, "causes": names, "verdict": found}
    screened = Screened(torch.ones(COUNT), scores=torch.zeros(COUNT, 1), **told, **flags)
    case = case_from_scores(
        torch.ones(COUNT) * (1 if verdict == "clean" else 3),
        accepted,
        flags["blank"],
        threshold=2.0,
        positions=[(float(index), index) for index in range(COUNT)],
        input_path=str(folder / f"{name}.nii.gz"),
        segmentation_path="",
        screened=screened,
    )
    (folder / "out" / f"{name}_scores.json").write_text(case_to_json(case))
    return folder / f"{name}.nii.gz"


def test_verdicts_and_causes_stand_side_by_side(tmp_path):
    found = {"clean": ("clean", ""), "attacked": ("reject", "fine_pattern"), "half_missing": ("review", "anatomy")}
    images = {name: _write(tmp_path, name, *verdict) for name, verdict in found.items()}
    path = write_page(tmp_path / "demo.html", images, tmp_path / "out", find_bundle("brain_mri_defended_segmentation"))
    page = _Page(path.read_text(encoding="utf-8"))
    assert page.classes == ["is-clean", "is-reject", "is-review"]
    for words in ("Clean", "Do not use it", "Look at it", "a fine pattern, as of an attack or of noise"):
        assert words in page.words
    assert page.links == [f"out/{name}_report.html" for name in found]
    assert len(page.pictures) == 6
    assert all(picture["alt"] and picture["src"].startswith("data:image/png") for picture in page.pictures)


def test_a_broken_record_is_named(tmp_path):
    images = {"clean": _write(tmp_path, "clean", "clean", "")}
    (tmp_path / "out" / "clean_scores.json").write_text("{}")
    with pytest.raises(InputError, match="clean_scores.json: expected the record of a volume's scores"):
        write_page(tmp_path / "demo.html", images, tmp_path / "out", find_bundle("brain_mri_defended_segmentation"))
