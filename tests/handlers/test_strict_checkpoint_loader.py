import math
import pickle

import pytest
import torch
from ignite.engine import Engine
from monai.engines import Trainer
from monai.handlers import CheckpointLoader

from monai_advdefense.errors import AdvDefenseError, CalibrationError, InputError
from monai_advdefense.guard import (
    CombinedDecision,
    DefendedSegmenter,
    ReconstructionDetector,
    Reformer,
    Screen,
    SpectralDecision,
)
from monai_advdefense.handlers.strict_checkpoint_loader import StrictCheckpointLoader
from monai_advdefense.weights import load_weights


class _Guard(torch.nn.Module):
    def __init__(self, threshold=math.nan):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
        self.register_buffer("threshold", torch.tensor(threshold))


class _Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def _state(**changes):
    return {**_Guard(1.0).state_dict(), **changes}


def _cut(path):
    torch.save(_state(), path)
    path.write_bytes(path.read_bytes()[:-200])


WEIGHT, BIAS = torch.zeros(2, 1, 3, 3), torch.zeros(2)
HOSTILE = {
    "missing": (lambda path: None, "no such file"),
    "folder": (lambda path: path.mkdir(), "no such file"),
    "empty": (lambda path: path.touch(), "cannot read"),
    "text": (lambda path: path.write_text("weights"), "cannot read"),
    "cut": (_cut, "cannot read"),
    "TorchScript": (lambda path: torch.jit.save(torch.jit.script(_Guard(1.0).layers), path), "cannot read"),
    "whole network": (lambda path: torch.save(_Guard(1.0), path), "cannot read"),
    "code": (lambda path: path.write_bytes(pickle.dumps(_Canary(path.with_name("canary")))), "cannot read"),
    "code in torch": (lambda path: torch.save(_Canary(path.with_name("canary")), path), "cannot read"),
    "list": (lambda path: torch.save(list(_state().values()), path), "found a list"),
    "tensor": (lambda path: torch.save(WEIGHT, path), "found a Tensor"),
    "nested": (lambda path: torch.save({"model": _state()}, path), "'model' of type dict"),
    "number": (lambda path: torch.save(_state(epoch=3), path), "'epoch' of type int"),
    "sparse": (lambda path: torch.save(_state(threshold=torch.ones(2).to_sparse()), path), "'threshold' of type"),
    "empty dict": (lambda path: torch.save({}, path), "no 'threshold'; no .* and 5 more"),
    "module prefix": (lambda path: torch.save({f"module.{k}": v for k, v in _state().items()}, path), "no 'threshold'"),
    "one more": (lambda path: torch.save(_state(extra=BIAS), path), "an unknown 'extra'"),
    "other shape": (lambda path: torch.save(_state(**{"layers.0.bias": BIAS[:1]}), path), r"shape \(1,\) instead of"),
    "integers": (lambda path: torch.save(_state(**{"layers.0.bias": BIAS.long()}), path), "int64 instead of"),
    "NaN": (lambda path: torch.save(_state(**{"layers.0.weight": WEIGHT / 0}), path), "NaN .* 'layers.0.weight'"),
    "infinite": (lambda path: torch.save(_state(**{"layers.1.running_var": BIAS + math.inf}), path), "running_var"),
}


def _snapshot(network):
    return {key: value.clone() for key, value in network.state_dict().items()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("make", "found"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_weights_are_refused_and_change_nothing(make, found, tmp_path):
    path = tmp_path / "model.pt"
    make(path)
    network = _Guard(0.5)
    before = _snapshot(network)
    with pytest.raises(InputError, match=found) as error:
        load_weights(path, network)
    assert str(error.value).startswith(f"{path}: expected ")
    assert str(error.value).isprintable()
    assert not (tmp_path / "canary").exists()
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("threshold", [math.nan, math.inf])
def test_a_required_threshold_must_be_calibrated(threshold, tmp_path):
    path = tmp_path / "model.pt"
    torch.save(_state(threshold=torch.tensor(threshold)), path)
    with pytest.raises(CalibrationError, match=f"{path}: expected a calibrated threshold.*configs/calibrate.json"):
        load_weights(path, _Guard(), require_calibrated=True)
    load_weights(path, _Guard())


def _defended(decision):
    parts = (ReconstructionDetector(torch.nn.Identity()), Reformer(torch.nn.Identity()), torch.nn.Identity())
    return DefendedSegmenter(*parts, decision=decision())


@pytest.mark.parametrize("decision", [SpectralDecision, CombinedDecision])
def test_of_the_thresholds_of_a_guard_the_one_in_use_must_be_calibrated(decision, tmp_path):
    path = tmp_path / "model.pt"
    calibrated = {key: torch.ones_like(value) for key, value in _defended(decision).state_dict().items()}
    combination = {key: torch.full_like(value, math.nan) for key, value in calibrated.items() if "combination" in key}
    detector = {"detector.threshold": torch.tensor(math.nan)}
    torch.save({**calibrated, **(detector if decision is CombinedDecision else combination)}, path)
    network = _defended(decision)
    load_weights(path, network, require_calibrated=True)
    assert network.threshold == 1.0
    torch.save({**calibrated, **(combination if decision is CombinedDecision else detector)}, path)
    name = "combination" if decision is CombinedDecision else "detector"
    with pytest.raises(CalibrationError, match=f"expected a calibrated threshold, found no '{name}.threshold'"):
        load_weights(path, network, require_calibrated=True)
    load_weights(path, network)
    assert network.threshold.isnan()


@pytest.mark.parametrize("key", ["combination.center", "combination.scale"])
def test_half_a_calibration_is_refused(key, tmp_path):
    calibrated = {name: torch.ones_like(value) for name, value in _defended(CombinedDecision).state_dict().items()}
    torch.save({**calibrated, key: torch.full_like(calibrated[key], math.nan)}, tmp_path / "model.pt")
    with pytest.raises(InputError, match=f"expected finite weights, found NaN or infinity in '{key}'"):
        load_weights(tmp_path / "model.pt", _defended(CombinedDecision))


def test_weights_of_a_guard_from_before_it_had_a_combined_score_are_refused_in_one_line(tmp_path):
    torch.save({"detector.threshold": torch.tensor(1.0)}, tmp_path / "model.pt")
    with pytest.raises(InputError, match="expected the weights of DefendedSegmenter, found no 'combination.") as error:
        load_weights(tmp_path / "model.pt", _defended(SpectralDecision))
    assert len(str(error.value).splitlines()) == 1


def test_a_screen_that_was_not_fitted_is_not_calibrated(tmp_path):
    torch.save(Screen(3).state_dict(), tmp_path / "screen.pt")
    with pytest.raises(CalibrationError, match=r"expected a calibrated threshold, .+calibrate\.json"):
        load_weights(tmp_path / "screen.pt", Screen(3), require_calibrated=True)


def test_a_network_without_threshold_cannot_be_calibrated(tmp_path):
    network = torch.nn.Linear(1, 1)
    torch.save(network.state_dict(), tmp_path / "model.pt")
    with pytest.raises(CalibrationError):
        load_weights(tmp_path / "model.pt", network, require_calibrated=True)


def test_weights_and_threshold_are_loaded(tmp_path):
    trained, network = _Guard(2.5), _Guard()
    torch.save(trained.state_dict(), tmp_path / "model.pt")
    load_weights(tmp_path / "model.pt", network, require_calibrated=True)
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in trained.state_dict().items())


def test_the_handler_loads_when_the_engine_starts(tmp_path):
    trained, network = _Guard(2.5), _Guard()
    torch.save(trained.state_dict(), tmp_path / "model.pt")
    seen = []
    engine = Engine(lambda engine, batch: seen.append(network.threshold.item()))
    loader = StrictCheckpointLoader(tmp_path / "model.pt", network, require_calibrated=True)
    assert isinstance(loader, CheckpointLoader)
    loader.attach(engine)
    engine.run([0])
    assert seen == [2.5]


@pytest.mark.parametrize(
    ("state", "found"),
    [(None, "no such file"), ({}, "no 'threshold'"), (_Guard().state_dict(), "calibrated threshold")],
    ids=["missing", "other network", "not calibrated"],
)
def test_the_handler_ends_the_run_with_one_line(state, found, tmp_path):
    path = tmp_path / "model.pt"
    if state is not None:
        torch.save(state, path)
    engine = Engine(lambda engine, batch: None)
    StrictCheckpointLoader(path, _Guard(), require_calibrated=True).attach(engine)
    with pytest.raises(AdvDefenseError, match=found) as error:
        engine.run([0])
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize("epoch", [0, 3])
def test_a_training_that_goes_on_keeps_its_weights(tmp_path, epoch):
    stored, network = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    torch.save(stored.state_dict(), tmp_path / "model.pt")
    trainer = Trainer(torch.device("cpu"), max_epochs=4, data_loader=[0], iteration_update=lambda engine, batch: {})
    trainer.state.epoch = epoch
    StrictCheckpointLoader(tmp_path / "model.pt", network)(trainer)
    assert torch.equal(network.weight, stored.weight) == (epoch == 0)
