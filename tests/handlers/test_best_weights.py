import os

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from monai_advdefense.errors import InputError, OutputError
from monai_advdefense.guard import CombinedDecision
from monai_advdefense.handlers import BestWeights
from monai_advdefense.weights import save_weights


def _network(value):
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, value)
    return network


def _weight(path):
    return torch.load(path, weights_only=True)["weight"].item()


def _validate(handler, value, metric="dice"):
    """One validation with the given result."""
    engine = Engine(lambda *_: None)
    engine.add_event_handler(Events.STARTED, lambda: engine.state.metrics.update({metric: value}))
    handler.attach(engine)
    engine.run([0])


@pytest.mark.parametrize(
    ("best", "values", "kept"),
    [
        ("max", [0.5, 0.4, 0.7, 0.7, float("nan"), 0.6], [0, 0, 2, 2, 2, 2]),
        ("min", [0.5, 0.6, 0.2, 0.2, float("nan"), 0.3], [0, 0, 2, 2, 2, 2]),
        ("max", [-3.0, -5.0, -1.0], [0, 0, 2]),
    ],
)
def test_file_holds_the_first_of_the_best(tmp_path, best, values, kept):
    network, path = _network(0), tmp_path / "models" / "model.pt"
    handler = BestWeights(network, path, "dice", best)
    for number, value in enumerate(values):
        nn.init.constant_(network.weight, number)
        _validate(handler, value)
        assert _weight(path) == kept[number]
    assert os.listdir(path.parent) == ["model.pt"]


def test_worse_validations_do_not_touch_the_file(tmp_path):
    path = tmp_path / "model.pt"
    handler = BestWeights(_network(1), path, "dice")
    _validate(handler, 0.5)
    path.unlink()
    _validate(handler, 0.5)
    assert not path.exists()


@pytest.mark.parametrize(("best", "worse", "better"), [("max", 0.4, 0.6), ("min", 0.6, 0.4)])
def test_state_round_trip_goes_on_comparing(tmp_path, best, worse, better):
    path = tmp_path / "model.pt"
    before = BestWeights(_network(1), path, "dice", best)
    _validate(before, 0.5)
    after = BestWeights(_network(2), path, "dice", best)
    after.load_state_dict(before.state_dict())
    _validate(after, worse)
    assert _weight(path) == 1
    _validate(after, better)
    assert _weight(path) == 2


def test_numbers_calibrated_for_other_weights_are_saved_as_not_calibrated(tmp_path):
    network, path = _network(3), tmp_path / "model.pt"
    network.combination = CombinedDecision()
    network.detector = CombinedDecision()
    for buffer in network.buffers():
        buffer.fill_(1.0)
    _validate(BestWeights(network, path, "dice", calibrated=network.combination), 0.5)
    saved = torch.load(path, weights_only=True)
    assert saved["combination.threshold"].isnan()
    assert saved["combination.center"].isnan().all()
    assert saved["combination.scale"].isnan().all()
    assert saved["detector.threshold"] == 1.0
    assert saved["weight"].item() == 3


def test_new_weights_leave_no_record_of_the_old_calibration_and_worse_ones_keep_it(tmp_path):
    path, record = tmp_path / "model.pt", tmp_path / "model.calibration.json"
    record.write_text("{}")
    handler = BestWeights(_network(1), path, "dice")
    _validate(handler, 0.5)
    assert not record.exists()
    record.write_text("{}")
    _validate(handler, 0.4)
    assert record.exists()


def test_saved_weights_are_flat_detached_and_load_strictly(tmp_path):
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    save_weights(network, tmp_path / "deep" / "er" / "model.pt")
    state = torch.load(tmp_path / "deep" / "er" / "model.pt", weights_only=True)
    assert not any(value.requires_grad for value in state.values())
    other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    other.load_state_dict(state, strict=True)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in network.state_dict().items())


def test_prefix_of_a_parallel_wrapper_is_left_out(tmp_path):
    save_weights(nn.DataParallel(_network(2)), tmp_path / "model.pt")
    assert _weight(tmp_path / "model.pt") == 2
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        save_weights(nn.parallel.DistributedDataParallel(_network(3)), tmp_path / "model.pt")
    finally:
        torch.distributed.destroy_process_group()
    assert _weight(tmp_path / "model.pt") == 3


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("file in\nan odd state")])
def test_a_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch, error):
    path = tmp_path / "model.pt"
    save_weights(_network(1), path)

    def fail(state, file):
        file.write(b"half")
        raise error

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OutputError, match=r"model\.pt: expected to write here, found") as caught:
        save_weights(_network(2), path)
    assert len(str(caught.value).splitlines()) == 1
    assert os.listdir(tmp_path) == ["model.pt"]
    assert _weight(path) == 1


def test_the_same_weights_give_the_same_file(tmp_path):
    save_weights(_network(1), tmp_path / "model.pt")
    save_weights(_network(1), tmp_path / "other.pt")
    assert (tmp_path / "model.pt").read_bytes() == (tmp_path / "other.pt").read_bytes()


def test_an_interrupt_passes_and_leaves_no_file(tmp_path, monkeypatch):
    def interrupt(state, file):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_weights(_network(2), tmp_path / "model.pt")
    assert not os.listdir(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "models").write_text("a file where the folder should be")
    path = tmp_path / "models" / "model.pt"
    with pytest.raises(OutputError, match=f"^{path}: expected to write here, found"):
        _validate(BestWeights(_network(1), path, "dice"), 0.5)


def test_an_unknown_metric_is_refused(tmp_path):
    with pytest.raises(InputError, match="metric: expected one of dice, found 'loss'"):
        _validate(BestWeights(_network(1), tmp_path / "model.pt", "loss"), 0.5)


def test_another_word_than_max_or_min_is_refused(tmp_path):
    with pytest.raises(InputError, match="best: expected 'max' or 'min', found 'largest'"):
        BestWeights(_network(1), tmp_path / "model.pt", "dice", "largest")
