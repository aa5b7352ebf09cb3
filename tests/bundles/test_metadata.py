from __future__ import annotations

import csv
import json
import re
import urllib.error
from pathlib import Path

import pytest
from monai.bundle import verify_metadata

from monai_advdefense import __version__

# What meta_schema_20240725.json requires, and of which type.
REQUIRED = {
    "schema": str,
    "version": str,
    "monai_version": str,
    "pytorch_version": str,
    "numpy_version": str,
    "required_packages_version": dict,
    "task": str,
    "description": str,
    "authors": str,
    "copyright": str,
    "network_data_format": dict,
}
OPTIONAL = {
    "changelog": dict,
    "name": str,
    "data_source": str,
    "data_type": str,
    "image_classes": str,
    "label_classes": str,
    "pred_classes": str,
    "eval_metrics": dict,
    "intended_use": str,
    "references": list,
    "supported_apps": dict,
}
TENSOR = {
    "type": str,
    "format": str,
    "num_channels": int,
    "spatial_shape": list,
    "dtype": str,
    "value_range": list,
    "is_patch_data": bool,
    "channel_def": dict,
}


def _metadata(bundle):
    return json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))


def test_metadata_has_what_the_schema_requires_and_nothing_it_does_not_know(source):
    metadata = _metadata(source)
    assert set(REQUIRED) <= set(metadata)
    known = {**REQUIRED, **OPTIONAL}
    for key, value in metadata.items():
        assert isinstance(value, known[key]), key
    assert metadata["schema"].endswith("/meta_schema_20240725.json")
    assert all(isinstance(reference, str) for reference in metadata["references"])
    formats = metadata["network_data_format"]
    # MONAI's own verification and export take these two names for granted.
    assert list(formats["inputs"]) == ["image"]
    assert list(formats["outputs"]) == ["pred"]
    for tensors in formats.values():
        for tensor in tensors.values():
            assert set(TENSOR) <= set(tensor)
            assert all(isinstance(tensor[key], kind) for key, kind in TENSOR.items())
            assert all(isinstance(bound, (int, float)) for bound in tensor["value_range"])
            assert all(isinstance(side, (int, str)) for side in tensor["spatial_shape"])


def test_version_is_that_of_the_package_and_has_an_entry_in_the_changelog(source):
    metadata = _metadata(source)
    assert metadata["version"] == __version__
    assert metadata["version"] in metadata["changelog"]
    assert metadata["required_packages_version"]["monai_advdefense"] == __version__


def test_required_versions_are_those_that_the_tests_run_with(source):
    pins = dict(
        line.lower().split("==")
        for line in (source.parents[1] / "constraints.txt").read_text().splitlines()
        if "==" in line and not line.startswith("#")
    )
    metadata = _metadata(source)
    packages = {
        **metadata["required_packages_version"],
        "monai": metadata["monai_version"],
        "torch": metadata["pytorch_version"],
        "numpy": metadata["numpy_version"],
    }
    del packages["monai_advdefense"]
    assert packages == {package: pins[package] for package in packages}


def test_every_output_channel_has_a_name_of_its_own(source):
    output = _metadata(source)["network_data_format"]["outputs"]["pred"]
    assert list(output["channel_def"]) == [str(channel) for channel in range(output["num_channels"])]
    assert len(set(output["channel_def"].values())) == output["num_channels"]


def test_defended_segmenter_has_the_classes_of_the_segmenter_and_rejected(bundles):
    plain, defended = (
        _metadata(bundles / name)["network_data_format"]["outputs"]["pred"]["channel_def"]
        for name in ("brain_mri_segmentation", "brain_mri_defended_segmentation")
    )
    assert plain["0"] == "background"
    assert list(defended.values()) == [*plain.values(), "rejected"]


def test_readme_has_every_section_and_says_what_the_weights_may_be_used_for(source):
    text = (source / "docs" / "README.md").read_text(encoding="utf-8")
    for section in (
        "Authors",
        "Tags",
        "Model Description",
        "Data",
        "Preprocessing",
        "Performance",
        "Usage",
        "System Configuration",
        "Limitations",
        "Citation Info",
        "References",
        "License",
    ):
        assert re.search(rf"^#+ \*\*{section}\*\*$", text, re.MULTILINE), section
    assert "CC BY-NC 4.0" in text
    data_license = (source / "docs" / "data_license.txt").read_text(encoding="utf-8")
    assert "provided by Neuromorphometrics, Inc. (http://Neuromorphometrics.com/) under academic subscription" in (
        " ".join(data_license.split())
    )
    assert "Apache License" in (source / "LICENSE").read_text(encoding="utf-8")


def test_readme_names_only_configurations_that_exist(source):
    text = (source / "docs" / "README.md").read_text(encoding="utf-8")
    for config in set(re.findall(r"configs/(\w+\.json)", text)):
        assert (source / "configs" / config).is_file(), config


def test_monai_verifies_the_metadata_where_the_schema_can_be_reached(source, tmp_path):
    try:
        verify_metadata(meta_file=str(source / "configs" / "metadata.json"), filepath=str(tmp_path / "schema.json"))
    except urllib.error.URLError as error:
        pytest.skip(f"the schema cannot be reached: {error.reason}")


def _published(name, **wanted):
    """The row of docs/results/NAME.csv with these entries."""
    path = Path(__file__).parents[2] / "docs" / "results" / f"{name}.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return next(row for row in csv.DictReader(file) if all(row[key] == value for key, value in wanted.items()))


def test_metrics_are_those_of_the_published_results(bundles):
    guard = _published("guard")
    published = {
        "brain_mri_segmentation": {"mean_dice": _published("segmenters", network="UNet", structure="mean")["dice"]},
        "brain_mri_detector": {
            f"roc_auc_dag_type_{kind.lower()}": _published(
                "attacks", form="dag", target=kind, strength="1.0", support="brain"
            )["auc_spectral"]
            for kind in "ABC"
        },
        "brain_mri_defended_segmentation": {
            "mean_dice_accepted": guard["accepted_reformed"],
            "coverage": guard["coverage"],
        },
    }
    for name, metrics in published.items():
        metadata = json.loads((bundles / name / "configs" / "metadata.json").read_text(encoding="utf-8"))
        assert metadata["eval_metrics"] == {key: round(float(value), 3) for key, value in metrics.items()}, name
