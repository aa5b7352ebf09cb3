from __future__ import annotations

import json
import re
import sys
from pydoc import locate

import pytest
from monai.bundle import ConfigParser
from monai.bundle.config_item import ComponentLocator

STOCK_SECTIONS = ("preprocessing", "postprocessing", "inferer")
PARTS = {"detector": "brain_mri_detector", "reformer": "brain_mri_reformer", "segmenter": "brain_mri_segmentation"}


def _configs(bundle):
    return {path.stem: path for path in sorted((bundle / "configs").glob("*.json"))}


def _strings(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [string for item in value for string in _strings(item)]
    return [value] if isinstance(value, str) else []


def _targets(value):
    if isinstance(value, list):
        return [target for item in value for target in _targets(item)]
    if not isinstance(value, dict):
        return []
    own = [value["_target_"]] if "_target_" in value else []
    return own + [target for item in value.values() for target in _targets(item)]


def test_bundle_has_all_files_of_the_specification(source):
    for config in ("metadata", "train", "evaluate", "inference", "multi_gpu_train"):
        assert config in _configs(source), config
    assert (source / "LICENSE").is_file()
    assert (source / "configs" / "logging.conf").is_file()
    assert not (source / "scripts").exists()
    # MONAI Label chooses among all weights in models/ by the length of their names.
    assert {path.name for path in (source / "models").glob("*.pt")} <= {"model.pt"}


def test_folder_name_does_not_make_label_take_the_bundle_for_another_kind(source):
    assert not re.search("detection|deepgrow|deepedit|classification", source.name)


def test_configurations_are_formatted_alike(source):
    for path in _configs(source).values():
        text = path.read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=4) + "\n", path.name


def test_configurations_run_no_code_that_a_reader_would_not_expect(source):
    for path in _configs(source).values():
        for string in _strings(json.loads(path.read_text(encoding="utf-8"))):
            if string.startswith("$"):
                forbidden = r"torch\.(jit\.)?load|pickle|subprocess|open\(|eval\(|exec\(|__"
                assert not re.search(forbidden, string), (path.name, string)


def test_configurations_name_no_absolute_path(source):
    for path in _configs(source).values():
        for string in _strings(json.loads(path.read_text(encoding="utf-8"))):
            assert not re.search(r"(^|['\"\s])(/|[A-Za-z]:\\|~)", string), (path.name, string)


@pytest.fixture(scope="module")
def monai_modules():
    """From the short name of a component to the modules of MONAI that define it."""
    locator = ComponentLocator()

    def modules(name):
        found = locator.get_component_module_name(name) or []
        return [found] if isinstance(found, str) else found

    return modules


def test_every_target_is_found(source, monai_modules):
    for path in _configs(source).values():
        for target in _targets(json.loads(path.read_text(encoding="utf-8"))):
            if "." in target:
                assert target.split(".")[0] in ("monai", "torch", "ignite", "monai_advdefense"), (path.name, target)
                assert locate(target) is not None, (path.name, target)
            else:
                assert monai_modules(target), (path.name, target)


def test_inference_needs_only_monai_to_prepare_run_and_postprocess(source, monai_modules):
    inference = json.loads((source / "configs" / "inference.json").read_text(encoding="utf-8"))
    assert {"preprocessing", "inferer"} <= set(inference)
    for section in STOCK_SECTIONS:
        for target in _targets(inference.get(section, {})):
            assert target == "monai_advdefense.transforms.SliceDecisionsd" or monai_modules(target), target
        # Other programs evaluate these sections in another folder: no macro, no expression that knows this one.
        for string in _strings(inference.get(section, {})):
            assert not string.startswith("%")
            assert not string.startswith("$") or string.startswith(("$lambda ", "$not monai.utils.optional_import("))
            assert not string.startswith("$") or set(re.findall(r"@(\w+)", string)) <= {"num_classes", "slice_dim"}


def test_an_exported_bundle_postprocesses_without_this_package(bundles, monkeypatch):
    path = bundles / "brain_mri_defended_segmentation" / "configs" / "inference.json"
    names = {}
    for installed in (True, False):
        if not installed:
            monkeypatch.setitem(sys.modules, "monai_advdefense", None)
        postprocessing = ConfigParser(ConfigParser.load_config_file(path)).get_parsed_content("postprocessing")
        names[installed] = [type(transform).__name__ for transform in postprocessing.transforms]
    assert names == {True: ["Lambdad", "Invertd", "SliceDecisionsd"], False: ["Lambdad", "Invertd"]}


def test_all_bundles_prepare_a_volume_alike(bundles):
    """In inference, and in training but for the label."""
    reference = json.loads((bundles / "brain_mri_defended_segmentation/configs/inference.json").read_text())
    for folder in (path.parent for path in bundles.glob("*/configs")):
        inference = json.loads((folder / "configs" / "inference.json").read_text())
        assert inference["preprocessing"] == reference["preprocessing"], folder.name
        assert inference["inferer"] == reference["inferer"], folder.name
        training = json.loads((folder / "configs" / "train.json").read_text())["volume_transforms"]
        image_transforms = []
        for transform in training:
            if "image" in transform["keys"]:
                mode = transform.get("mode")
                own = {"mode": mode[0] if isinstance(mode, list) else mode} if mode else {}
                image_transforms.append({**transform, "keys": "image", **own})
        assert image_transforms == reference["preprocessing"]["transforms"], folder.name


@pytest.mark.parametrize("config", ["inference", "train"])
def test_networks_are_defined_alike(bundles, config):
    def definition(name, file):
        parser = ConfigParser(ConfigParser.load_config_file(bundles / name / "configs" / f"{file}.json"))
        return parser["network_def"], parser.get("num_classes")

    whole, classes = definition("brain_mri_defended_segmentation", "inference")
    assert definition("brain_mri_defended_segmentation", config) == (whole, classes)
    for part, name in PARTS.items():
        own, own_classes = definition(name, config)
        assert whole[part] == own
        if part == "segmenter":
            assert own_classes == classes


def test_validation_of_several_processes_runs_the_bare_network(source):
    """A parallel wrapper waits in every pass for the other processes, which may have fewer slices to validate."""
    overlay = json.loads((source / "configs" / "multi_gpu_train.json").read_text(encoding="utf-8"))
    (wrapped,) = (
        key
        for key, value in overlay.items()
        if isinstance(value, dict) and value["_target_"] == "torch.nn.parallel.DistributedDataParallel"
    )
    assert overlay["validate#evaluator#network"] == f"$@{wrapped}.module"


def test_other_processes_keep_what_training_needs_and_leave_out_what_prints(source):
    overlay = json.loads((source / "configs" / "multi_gpu_train.json").read_text(encoding="utf-8"))
    expression = overlay["train#trainer#train_handlers"]
    first = int(re.search(r"handlers\[:(\d+)\]", expression).group(1))
    assert expression.endswith("+ @train#handlers[-1:]")
    names = [
        handler["_target_"].split(".")[-1]
        for handler in json.loads((source / "configs" / "train.json").read_text(encoding="utf-8"))["train"]["handlers"]
    ]
    kept = set(names[:first] + names[-1:])
    assert set(names) - kept == {"ConciseStatsHandler", "TensorBoardStatsHandler", "TrainingProgress"}
