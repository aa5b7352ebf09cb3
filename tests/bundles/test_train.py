from __future__ import annotations

import socket

import pytest
import torch
from ignite.distributed import utils as idist
from ignite.engine import Events
from torch import distributed


class Killed(BaseException):
    """Ends a training in the middle, as a kill does: nothing of the package or of ignite catches it."""


@pytest.fixture
def bundle(source, copy_bundle, write_weights):
    """A copy of each bundle; the defended segmenter starts from the weights of an assembled guard."""
    copy = copy_bundle(source.name)
    write_weights(copy, threshold=1000.0, num_classes=4)
    return copy


@pytest.fixture
def train(bundle, workflow, tmp_path):
    """Trains the bundle, with results in one folder per run."""

    def run(name, *overlays, killed_at=None, **overrides):
        folder = tmp_path / name
        paths = {"run_dir": str(folder), "ckpt_path": str(folder / "model.pt")}
        training = workflow(bundle, "train", *overlays, **paths, **overrides)
        if overlays == ():
            assert training.check_properties() == []
        if killed_at is not None:
            training.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=killed_at), _kill)
            with pytest.raises(Killed):
                training.run()
            assert training.trainer.state.epoch == 2
            return None
        training.run()
        training.finalize()
        state = training.parser.get_parsed_content("network").state_dict()
        return state, torch.load(folder / "model.pt", weights_only=True)

    return run


def _kill(engine):
    raise Killed


def _assert_equal(state, other):
    """Bit for bit; a threshold that is not calibrated is NaN."""
    torch.testing.assert_close(dict(state), dict(other), rtol=0, atol=0, equal_nan=True)


def test_a_killed_training_ends_as_an_unbroken_one(train, tmp_path):
    unbroken, best = train("unbroken")
    assert (tmp_path / "unbroken" / "events").is_dir()
    train("killed", killed_at=len(_iterations(tmp_path, "unbroken")) // 2 + 2)
    resumed, resumed_best = train("killed")
    _assert_equal(unbroken, resumed)
    _assert_equal(best, resumed_best)


def _iterations(folder, name):
    (stored,) = (folder / name).glob("resume_checkpoint_*.pt")
    return range(torch.load(stored, weights_only=True)["trainer"]["iteration"])


@pytest.mark.parametrize("source", ["brain_mri_defended_segmentation"], indirect=True)
def test_training_behind_the_guard_changes_the_segmenter_and_what_was_calibrated_for_it(train, bundle):
    guard = torch.load(bundle / "models" / "model.pt", weights_only=True)
    state, _ = train("run")
    assert state.keys() == guard.keys()
    changed = {key.split(".")[0] for key in state if not torch.equal(state[key], guard[key])}
    assert changed == {"segmenter", "combination"}
    assert all(state[key].isnan().all() for key in state if key.startswith("combination."))


@pytest.fixture
def one_process(monkeypatch):
    """What torchrun tells the only process of a group."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for key, value in (("RANK", 0), ("LOCAL_RANK", 0), ("WORLD_SIZE", 1), ("MASTER_PORT", port)):
        monkeypatch.setenv(key, str(value))
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    # ignite keeps the group that it has seen beyond its end; the next test must not find it.
    for name in ("_model", "_need_to_sync"):
        monkeypatch.setattr(idist, name, getattr(idist, name))
    yield
    if distributed.is_initialized():
        distributed.destroy_process_group()


def test_training_by_a_group_of_processes_equals_training_by_one(train, one_process):
    """Bit for bit where the group has one process and the order of the slices is the same."""
    alone, best_alone = train("alone", **{"train#dataloader#shuffle": False})
    grouped, best = train("grouped", "multi_gpu_train", **{"train#sampler#shuffle": False})
    assert not distributed.is_initialized()
    _assert_equal(alone, {key.removeprefix("module."): value for key, value in grouped.items()})
    _assert_equal(best_alone, best)


@pytest.mark.parametrize("source", ["brain_mri_segmentation"], indirect=True)
def test_a_segmenter_is_trained_against_attacks_from_the_shipped_weights_on(train, bundle):
    start = torch.load(bundle / "models" / "model.pt", weights_only=True)
    state, best = train("run", "adversarial", epochs=1, learning_rate=1e-6, val_interval=1)
    weights = [key for key in state if key.endswith("weight")]
    assert all(torch.allclose(state[key], start[key], atol=1e-4) for key in weights)
    assert not all(torch.equal(state[key], start[key]) for key in weights)
    assert best.keys() == start.keys()


@pytest.mark.parametrize("source", ["brain_mri_reformer"], indirect=True)
def test_a_reformer_is_trained_against_attacks_through_the_segmenter(train, bundle, copy_bundle, write_weights):
    segmenter = copy_bundle("brain_mri_segmentation")
    write_weights(segmenter, num_classes=4)
    start = torch.load(bundle / "models" / "model.pt", weights_only=True)
    path = str(segmenter / "models" / "model.pt")
    state, best = train("run", "adversarial", epochs=1, segmenter_path=path)
    assert not all(torch.equal(state[key], start[key]) for key in start)
    assert best.keys() == start.keys()
