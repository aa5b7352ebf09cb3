from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest
import torch
from monai.data import Dataset
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import UNet
from monai.transforms import LoadImage
from torch import nn
from torch.nn.utils import prune

from monai_advdefense.attacks import ThroughWindows
from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector
from monai_advdefense.robustness import Settings, robustness_report
from monai_advdefense.robustness.measure import measured
from monai_advdefense.robustness.windows import windowed

FILES = ("robustness.json", "robustness.csv", "robustness.html")
SETTINGS = Settings(
    budgets=(0.05, 0.2), attacks=("fgsm",), corruptions=("darker", "mirrored", "rotated"), changes=(0.1, 0.3)
)


def _check_schema(report):
    schema = json.loads(files("monai_advdefense.robustness").joinpath("report.schema.json").read_text("utf-8"))
    jsonschema.validate(report, schema, jsonschema.Draft202012Validator)


def test_figures_of_a_network_whose_weakness_is_known(network, items, tmp_path):
    report = robustness_report(network, items, tmp_path, settings=SETTINGS, structures=["square"])
    _check_schema(report)
    assert json.loads((tmp_path / "robustness.json").read_text()) == report
    claims = report["claims"]
    assert claims["clean"]["dice"] == {"estimate": 1.0, "low": 1.0, "high": 1.0}
    # 48 of the square's 65 pixels (with the corner) lie within 0.2 of the threshold: 17 are left.
    remaining = 2 * 17 / (17 + 65)
    assert [level["dice"]["estimate"] for level in claims["worst_case"]] == pytest.approx([1.0, remaining])
    assert report["ruined"]["by_budget"] == [0.0, 1.0]
    image = items[0]["image"]
    change = (64 * 0.2**2 + 1 * 0.2**2) ** 0.5 / float(image.norm())
    assert report["ruined"]["smallest_change"]["median"] == pytest.approx(change, rel=0.01)
    assert report["erased"]["square"]["by_budget"] == [0.0, 0.0]
    assert report["erased"]["square"]["smallest_change"]["never"] == 1
    by_name = {one["name"]: one["levels"] for one in report["corruptions"]}
    assert len(by_name["mirrored"]) == 1
    # The square at rows 4 to 11 is its own mirror image but for the corner.
    assert by_name["mirrored"][0]["dice"]["estimate"] == 1
    assert [level["change"] for level in by_name["darker"]] == pytest.approx([0.1, 0.3], rel=0.02)
    assert report["guard"] is None


def test_the_network_is_left_as_it_was(network, items, tmp_path):
    network.train()
    robustness_report(network, items, tmp_path, settings=SETTINGS)
    assert network.training
    assert network.weight.requires_grad
    assert network.weight.grad is None


def test_a_network_that_cannot_be_copied_is_refused_and_left_as_it_was(network, items, tmp_path):
    network = nn.Sequential(network, nn.Dropout())
    prune.identity(network[0], "weight")
    with pytest.raises(InputError, match="network: expected a network that can be copied.*prune.remove"):
        robustness_report(network, items, tmp_path, settings=SETTINGS)
    assert all(module.training for module in network.modules())
    prune.remove(network[0], "weight")
    report = robustness_report(network, items, tmp_path, settings=SETTINGS)
    assert report["claims"]["clean"]["dice"]["estimate"] == 1


def test_a_stopped_run_goes_on_and_gives_the_same_files(network, items, tmp_path, monkeypatch):
    robustness_report(network, items, tmp_path, settings=SETTINGS)
    first = {name: (tmp_path / name).read_bytes() for name in FILES}
    cells = sorted(path for path in (tmp_path / "cells").iterdir() if "created" not in path.read_text())
    for path in cells[::2]:
        path.unlink()
    cells[1].write_text('{"counts": [[')  # a disk that was full
    robustness_report(network, items, tmp_path, settings=SETTINGS)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == first
    monkeypatch.setattr("monai_advdefense.robustness.report.measured", None)
    robustness_report(network, items, tmp_path, settings=SETTINGS)


def test_what_is_measured_is_not_measured_again_with_more_attacks(network, items, tmp_path):
    robustness_report(network, items, tmp_path, settings=SETTINGS)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()}
    robustness_report(network, items, tmp_path, settings=replace(SETTINGS, attacks=("fgsm", "pgd")))
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()}
    assert after.items() > before.items()
    assert len(after) == len(before) + 2  # equal images share their measurements; one has pictures


class _Heads(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        return self.network(image), self.network(image - 0.2)


class _Mean(nn.Module):
    """Class 1 where the mean of the window is above 0.3."""

    def forward(self, image):
        mean = image.mean(dim=(2, 3), keepdim=True).expand_as(image) - 0.3
        return torch.cat([-mean, mean], 1)


@pytest.mark.parametrize("changed", ["logits_of", "inferer"])
def test_what_came_out_otherwise_is_measured_anew(network, items, tmp_path, changed):
    def report(second, output):
        options = {"settings": replace(SETTINGS, corruptions=("darker",))}
        if changed == "logits_of":
            options["logits_of"] = lambda outputs: outputs[second]
            return robustness_report(_Heads(network), items, output, **options)
        windows = SlidingWindowInferer(roi_size=(8, 8), overlap=0.5 * second)
        return robustness_report(ThroughWindows(_Mean(), windows), items, output, **options)

    first, second, alone = (report(*each) for each in ((0, tmp_path), (1, tmp_path), (1, tmp_path / "alone")))
    assert second["claims"] == alone["claims"] != first["claims"]


def test_shards_share_the_cases_and_the_last_one_reports(network, items, tmp_path):
    assert robustness_report(network, items, tmp_path, settings=SETTINGS, shard="2/2") is None
    assert not (tmp_path / "robustness.json").exists()
    report = robustness_report(network, items, tmp_path, settings=SETTINGS, shard="1/2")
    alone = robustness_report(network, items, tmp_path / "alone", settings=SETTINGS)
    assert report["claims"] == alone["claims"]


def test_a_volume_of_two_channels_through_overlapping_windows(tmp_path):
    torch.manual_seed(0)
    unet = UNet(spatial_dims=3, in_channels=2, out_channels=3, channels=(4, 8), strides=(2,), norm="batch")
    network = ThroughWindows(unet, SlidingWindowInferer(roi_size=(16, 16, 16), overlap=0.5))
    volumes = [{"image": 100 * torch.randn(2, 16, 16, 24), "subject": str(n)} for n in range(2)]
    settings = replace(SETTINGS, attacks=("pgd",), corruptions=("rigid motion", "JPEG"))
    report = robustness_report(network, volumes, tmp_path, settings=settings)
    _check_schema(report)
    assert report["reference"] == "prediction on the clean image"
    assert report["claims"]["clean"]["dice"]["estimate"] == 1
    assert report["claims"]["worst_case"][-1]["dice"]["estimate"] < 0.99
    pictures = (tmp_path / "robustness.html").read_text(encoding="utf-8").count("data:image/png")
    assert pictures == 2 * 2 * 2  # corruptions, levels, image and prediction


class _Named(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        return {"seg": self.network(image)}


@pytest.mark.parametrize(
    ("wrap", "logits_of"),
    [(torch.jit.script, None), (nn.DataParallel, None), (_Named, lambda output: output["seg"])],
    ids=["TorchScript", "DataParallel", "dictionary"],
)
def test_networks_in_a_wrapper(network, items, tmp_path, wrap, logits_of):
    settings = replace(SETTINGS, corruptions=())
    report = robustness_report(wrap(network), items, tmp_path, settings=settings, logits_of=logits_of)
    assert report["claims"]["worst_case"][-1]["dice"]["estimate"] == pytest.approx(2 * 17 / (17 + 65))


def test_slices_of_volumes(network, tmp_path):
    volume = torch.rand(1, 12, 6, 12)
    volume[:, :, 0] = 0
    item = {"image": volume, "label": (volume > 0.5).long()}
    settings = replace(SETTINGS, slice_dim=1, slices=3)
    report = robustness_report(network, [item], tmp_path, settings=settings)
    assert report["cases"][0]["samples"] == 3
    assert report["claims"]["clean"]["dice"] == {"estimate": 1.0, "low": None, "high": None}  # one subject


def test_structures_that_overlap(tmp_path):
    network = nn.Conv2d(1, 2, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([10.0, 10.0]).view(2, 1, 1, 1))
        network.bias.copy_(torch.tensor([-3.0, -7.0]))
    image = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(0))
    image[:, 0, 0], image[:, -1, -1] = 0, 1
    label = torch.cat([image > 0.3, image > 0.7]).long()
    settings = replace(SETTINGS, activation="sigmoid", attacks=(), corruptions=("darker", "rotated"))
    report = robustness_report(network, [{"image": image, "label": label}], tmp_path, settings=settings)
    _check_schema(report)
    assert report["claims"]["clean"]["dice"]["estimate"] == 1
    assert report["claims"]["worst_case"] == []


def test_a_guard_is_measured_apart(items, network, tmp_path):
    detector = ReconstructionDetector(nn.Threshold(2.0, 0.0), domain="image")
    # Its score is the norm of the image.
    detector.threshold.fill_(float(items[0]["image"].norm()) * 1.1)
    guard = DefendedSegmenter(detector, nn.Identity(), network)
    report = robustness_report(guard, items, tmp_path, settings=replace(SETTINGS, corruptions=("darker", "brighter")))
    _check_schema(report)
    alone = robustness_report(network, items, tmp_path / "alone", settings=SETTINGS)
    assert report["claims"]["worst_case"] == alone["claims"]["worst_case"]
    assert report["guard"]["false_alarms"] == 0
    rejected = {one["name"]: [level["rejected"] for level in one["levels"]] for one in report["corruptions"]}
    assert rejected == {"darker": [0.0, 0.0], "brighter": [0.0, 1.0]}
    informed = report["guard"]["attacks_that_know_it"][0]["levels"][-1]
    assert informed["rejected"] == 0
    assert informed["accepted_and_bad"] == 1
    assert 'id="guard"' in (tmp_path / "robustness.html").read_text(encoding="utf-8")


def _guard(network):
    return DefendedSegmenter(ReconstructionDetector(nn.Identity(), domain="image"), nn.Identity(), network)


def test_a_guard_that_cannot_be_measured_is_told_at_once(network, items, tmp_path):
    windows = SlidingWindowInferer(roi_size=(8, 8))
    for hidden in (windowed(_guard(network), windows)[0], nn.Sequential(_guard(network))):
        with pytest.raises(InputError, match=r"network: expected a guard as the whole network, found one in a \w+"):
            robustness_report(hidden, items, tmp_path, settings=SETTINGS)
    with pytest.raises(InputError, match="activation: expected softmax for a network with a guard, found sigmoid"):
        robustness_report(_guard(network), items, tmp_path, settings=replace(SETTINGS, activation="sigmoid"))
    assert list(tmp_path.iterdir()) == []


def test_wrong_names_are_told_before_the_rest_is_measured(network, items, tmp_path):
    with pytest.raises(InputError, match="structures: expected 1 names"):
        robustness_report(network, items, tmp_path, settings=SETTINGS, structures=["a", "b"])
    # That the images, which are equal, fit; the clean image, what came out, and when it began.
    assert len(list((tmp_path / "cells").iterdir())) == 4


def test_a_file_that_cannot_be_read_costs_itself(network, items, tmp_path):
    images = ["/nowhere.nii", *items]
    data = Dataset(images, lambda item: LoadImage()(item) if isinstance(item, str) else item)
    with pytest.raises(InputError, match=r"^data\[0\]: expected an item that can be read, found FileNotFoundError"):
        robustness_report(network, data, tmp_path, settings=SETTINGS)
    assert len(json.loads((tmp_path / "robustness.json").read_text())["cases"]) == 4


def test_a_case_that_cannot_be_used_costs_itself(network, items, tmp_path, capsys):
    broken = [*items, {"image": torch.full((1, 4, 4), float("nan")), "name": "broken.nii"}]
    with pytest.raises(InputError, match=r"^broken.nii: expected an image .* \(1 of 5 cases failed\)$"):
        robustness_report(network, broken, tmp_path, settings=SETTINGS)
    assert len(json.loads((tmp_path / "robustness.json").read_text())["cases"]) == 4
    assert capsys.readouterr().err.startswith("failed: broken.nii")


class _OneSize(nn.Module):
    """A network whose code has a size in it."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        assert image.shape[-1] == 16, "16 columns"  # noqa: S101
        return self.network(image)


def test_a_case_that_does_not_fit_the_network_costs_itself_and_is_told_before_anything_is_measured(
    network, items, tmp_path, capsys, monkeypatch
):
    convolution, small = nn.Conv2d(1, 1, 1), torch.rand(1, 8, 8)
    nn.init.ones_(convolution.weight), nn.init.zeros_(convolution.bias)
    bad = [
        {"image": items[0]["image"].repeat(2, 1, 1), "label": items[0]["label"], "name": "two channels"},
        {"image": small, "label": small.round(), "name": "small"},
        {"image": 1 - items[0]["image"], "label": items[0]["label"] + 206, "name": "raw labels"},
    ]
    monkeypatch.setattr("monai_advdefense.robustness.report.measured", _told_first(measured, capsys))
    whole = nn.Sequential(convolution, _OneSize(network))
    with pytest.raises(InputError, match=r"^raw labels, label: expected classes .* \(3 of 7 cases failed\)$"):
        robustness_report(whole, [*items[:2], *bad, *items[2:]], tmp_path, settings=SETTINGS)
    report = json.loads((tmp_path / "robustness.json").read_text())
    alone = robustness_report(whole, items, tmp_path / "alone", settings=SETTINGS)
    assert report["claims"] == alone["claims"]
    assert [case["name"] for case in report["cases"]] == [item["name"] for item in items]


def _told_first(measure, capsys):
    """Measures when it has been told which cases fail."""
    told = []

    def measured_then(*args, **kwargs):
        told.extend(capsys.readouterr().err.splitlines())
        assert [line.split(":")[1] for line in told] == [" two channels, network", " small", " raw labels, label"]
        return measure(*args, **kwargs)

    return measured_then


def test_cases_that_fit_are_not_checked_again(network, items, tmp_path, monkeypatch):
    robustness_report(network, items, tmp_path, settings=SETTINGS)
    monkeypatch.setattr("monai_advdefense.robustness.report.check_fit", None)
    robustness_report(network, items, tmp_path, settings=SETTINGS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": []}, "data: expected a case that can be used, found none"),
        ({"shard": "3/2"}, "shard: expected I/N"),
        ({"logits_of": lambda output: (output,)}, "network: expected logits .* found tuple"),
        ({"items": [{"image": torch.rand(1, 4, 4), "label": torch.zeros(1, 5, 5)}]}, "case 0: expected a label"),
        ({"items": [{"image": torch.rand(1, 4, 4), "label": torch.full((1, 4, 4), 0.5)}]}, "whole numbers"),
        (
            {"items": [{"image": torch.rand(1, 4, 4), "label": torch.full((1, 4, 4), 207.0), "name": "1000.nii.gz"}]},
            r"1000.nii.gz, label: expected classes 0 to 1, those of the network, found 207: bring its classes to those",
        ),
        ({"logits_of": lambda logits: logits[:, :1]}, "network: .* found one channel: set activation to sigmoid"),
        ({"device": "gpu"}, "device: expected one that torch can use here, found gpu: "),
        ({"about": {"author": object()}}, "about: expected what JSON can hold"),
        ({"items": [{"picture": torch.rand(1, 4, 4)}]}, "entry 'image', found picture"),
        ({"items": iter([{"image": torch.rand(1, 4, 4)}])}, "data: expected items by number, .* found a list_iterator"),
        ({"settings": replace(SETTINGS, activation="sigmoid")}, "label: expected shape"),
    ],
)
def test_bad_arguments_are_one_line(network, items, tmp_path, change, message):
    arguments = {"settings": SETTINGS} | change
    with pytest.raises(InputError, match=message) as raised:
        robustness_report(network, arguments.pop("items", items), tmp_path, **arguments)
    assert "\n" not in str(raised.value)
