from __future__ import annotations

import json
import re
from pydoc import locate

import pytest
from monai.bundle import ConfigParser
from monai.bundle.config_item import ComponentLocator
from monai.transforms import Invertd

from experiments.bundles import spelled_out

STOCK_SECTIONS = ("preprocessing", "postprocessing", "inferer")
# What the composite needs of this package to segment and judge a volume.
OWN = {
    "monai_advdefense.guard.load_screen",
    "monai_advdefense.inferers.ScreenedSliceInferer",
    "monai_advdefense.transforms.InvertLabelsd",
    "monai_advdefense.transforms.SliceDecisionsd",
}
# Paths and devices that they refer to; the first lies below the bundle_root that other programs set.
REFERENCES = {"@screen_path", "@device"}
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
    own = value.get("_target_", "")
    return ([own] if own else []) + [target for item in value.values() for target in _targets(item)]


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


def _parser(bundle, *configs):
    parser = ConfigParser()
    parser.read_config([bundle / "configs" / f"{name}.json" for name in configs])
    return parser


def test_other_programs_can_prepare_run_and_postprocess(source, monai_modules):
    inference = json.loads((source / "configs" / "inference.json").read_text(encoding="utf-8"))
    assert {"preprocessing", "inferer"} <= set(inference)
    for section in STOCK_SECTIONS:
        whole = spelled_out(inference, inference.get(section, {}))
        for target in _targets(whole):
            assert target in OWN or monai_modules(target), target
        # Other programs may evaluate these sections elsewhere: no macro, no expression that knows this folder.
        for string in set(_strings(whole)) - REFERENCES:
            assert not string.startswith(("%", "@"))
            assert not string.startswith("$") or not re.search(r"@|\bos\.", string)


def test_all_bundles_prepare_a_volume_alike(bundles):
    """In inference, and in training but for the label."""
    reference = _parser(bundles / "brain_mri_defended_segmentation", "inference")
    expected = spelled_out(reference.config, reference["preprocessing"])
    for folder in (path.parent for path in bundles.glob("*/configs")):
        inference, training = _parser(folder, "inference"), _parser(folder, "train")
        assert spelled_out(inference.config, inference["preprocessing"]) == expected, folder.name
        for argument in ("roi_size", "spatial_dim"):
            assert inference["inferer"][argument] == reference["inferer"][argument], folder.name
        image_transforms = []
        for transform in spelled_out(training.config, training["train#preprocessing#transforms"]):
            if "image" in transform["keys"]:
                mode = transform.get("mode")
                own = {"mode": mode[0] if isinstance(mode, list) else mode} if mode else {}
                image_transforms.append({**transform, "keys": "image", **own})
        assert image_transforms == expected["transforms"], folder.name


@pytest.mark.parametrize("config", ["inference", "train"])
def test_networks_are_defined_alike(bundles, config):
    def definition(name, file):
        parser = _parser(bundles / name, file)
        return spelled_out(parser.config, parser["network_def"])

    whole = definition("brain_mri_defended_segmentation", "inference")
    assert definition("brain_mri_defended_segmentation", config) == whole
    for part, name in PARTS.items():
        assert whole[part] == definition(name, config)


def test_components_in_lists_are_entries_with_a_name(source):
    """An overlay that counted would change another one after the next edit.

    But for those that MONAI, its client of federated learning and MONAI Label look for in the lists of a training, and
    those that may be disabled: they leave the list, but a reference to one would be None.
    """
    named = {"monai_advdefense.handlers.StrictCheckpointLoader"}

    def in_lists(value, listed=False):
        if isinstance(value, list):
            return [found for item in value for found in in_lists(item, listed=True)]
        unnamed = listed and isinstance(value, dict) and "_disabled_" not in value
        own = [value["_target_"]] if unnamed else []
        return own + [f for item in value.values() for f in in_lists(item)] if isinstance(value, dict) else []

    for path in _configs(source).values():
        config = json.loads(path.read_text(encoding="utf-8"))
        config.get("train", {}).pop("handlers", None)
        assert set(in_lists(config)) <= named, path.name


def test_other_tools_find_the_handlers_of_a_training(source):
    """MONAI Label reads the target of each, before anything is resolved, and puts a loader before them."""
    training = _parser(source, "train")
    assert all(isinstance(each, dict) and "_target_" in each for each in training["train#handlers"])
    evaluation = json.loads((source / "configs" / "evaluate.json").read_text(encoding="utf-8"))
    assert "CheckpointLoader" in evaluation["validate#handlers"][0]["_target_"]


def test_repeated_references_are_one_instance(source):
    """What inverts a transform looks for the very one that was applied."""
    inference, training = _parser(source, "inference"), _parser(source, "train")
    for parser, section in ((inference, "preprocessing"), (training, "train#preprocessing")):
        # The label's transform needs a data set.
        parser["merge_labels"] = {"_target_": "Identityd", "keys": "label"}
        compose = parser.get_parsed_content(section)
        names = [name.removeprefix("@") for name in parser[f"{section}#transforms"]]
        assert all(t is parser.get_parsed_content(n) for n, t in zip(names, compose.transforms, strict=True))
    if "postprocessing" in inference:
        steps = inference.get_parsed_content("postprocessing").transforms
        inverting = [step for step in steps if isinstance(step, Invertd)]
        assert [step.transform for step in inverting] == [inference.get_parsed_content("preprocessing")]


@pytest.mark.parametrize("slice_dim", [0, 1, 2])
def test_size_and_axis_of_slices_are_said_once(source, slice_dim):
    padded = [32, 48]
    padded.insert(slice_dim, -1)
    inference, training = _parser(source, "inference"), _parser(source, "train")
    for parser in (inference, training):
        parser.update({"slice_size": [32, 48], "slice_dim": slice_dim})
        assert list(parser.get_parsed_content("pad_slices").padder.spatial_size) == padded
        parser.update({"bundle_root": str(source)})
    dataset, inferer = (inference.get_parsed_content(name) for name in ("dataset", "inferer"))
    assert (list(dataset.slice_size), dataset.slice_dim) == ([32, 48], slice_dim)
    assert (list(inferer.roi_size), inferer.spatial_dim) == ([32, 48], slice_dim)
    for name, path in _configs(source).items():
        own = json.loads(path.read_text(encoding="utf-8"))
        assert name in ("inference", "train") or not {"slice_size", "slice_dim", "pixdim"} & set(own), name


def test_slices_that_padding_does_not_cover_end_the_training_with_the_size_that_would(
    bundles, phantoms, workflow, capfd
):
    training = workflow(bundles / "brain_mri_segmentation", "train", slice_size=[32, 32])
    with pytest.raises(SystemExit) as stop:
        training.run()
    assert stop.value.code == 2
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith(f"error: {phantoms / 'images' / '1000.nii.gz'}: expected a brain")
    assert re.search(r"or pad to \(\d+, \d+\): set slice_size$", last)


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
    parser = _parser(source, "train", "multi_gpu_train")
    printing = parser.get_parsed_content("printing_handlers")
    names = [each["_target_"] for each in parser["train#handlers"]]
    classes = {name: locate(name if "." in name else f"monai.handlers.{name}") for name in names}
    kept = {name.split(".")[-1] for name, kind in classes.items() if not issubclass(kind, printing)}
    assert kept - {"StrictCheckpointLoader"} == {"EpochSeed", "ValidationHandler", "LrScheduleHandler", "Resume"}
