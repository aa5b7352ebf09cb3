import math
import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine, Events
from monai.transforms import RandGaussianNoise
from torch import nn
from torch.utils.data import DataLoader

from monai_advdefense.errors import InputError
from monai_advdefense.handlers import BestWeights, EpochSeed, Resume


class _KilledError(Exception):
    pass


class _Training:
    """A training with everything that has a state or is random."""

    def __init__(
        self, folder: Path, epochs: int, layers: int = 2, lr: float = 0.1, cosine: bool = False, batch_size: int = 2
    ) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(*(nn.Linear(3, 3) for _ in range(layers)), nn.BatchNorm1d(3), nn.Dropout(0.5))
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=lr)
        schedules = torch.optim.lr_scheduler
        self.scheduler = (
            schedules.CosineAnnealingLR(self.optimizer, epochs)
            if cosine
            else schedules.ExponentialLR(self.optimizer, 0.7)
        )
        self.rates: list[float] = []
        self.best = BestWeights(self.network, folder / "models" / "model.pt", "loss", "min")
        self.run_dir = folder / "run"
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.epochs = epochs
        self.batches: list[list[list[float]]] = []
        self.iterations: list[int] = []
        noise = RandGaussianNoise(prob=1.0)
        data = torch.arange(24.0).reshape(8, 3) / 24
        self.loader = DataLoader(
            data, batch_size=batch_size, shuffle=True, collate_fn=lambda rows: noise(torch.stack(rows))
        )
        self.engine = Engine(self._step)
        EpochSeed(5, noise).attach(self.engine)
        self.engine.add_event_handler(Events.EPOCH_COMPLETED, self._end_epoch)
        objects = {
            "network": self.network,
            "optimizer": self.optimizer,
            "lr_scheduler": self.scheduler,
            "best_weights": self.best,
        }
        Resume(self.run_dir, objects).attach(self.engine)

    def _step(self, engine, batch):
        batch = torch.as_tensor(batch)
        self.batches.append(batch.tolist())
        self.iterations.append(engine.state.iteration)
        self.optimizer.zero_grad()
        loss = (self.network(batch) - 1).square().mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def _end_epoch(self, engine):
        self.rates.append(self.optimizer.param_groups[0]["lr"])
        self.scheduler.step()
        engine.state.metrics["loss"] = engine.state.output
        self.best(engine)

    def run(self, kill_at: int | None = None, kill=None) -> "_Training":
        def raise_killed():
            raise _KilledError

        if kill_at is not None:
            self.engine.add_event_handler(Events.ITERATION_COMPLETED(once=kill_at), kill or raise_killed)
        try:
            self.engine.run(self.loader, max_epochs=self.epochs)
        except _KilledError:
            assert kill_at is not None
        return self

    def state(self) -> dict:
        objects = (self.network, self.optimizer, self.scheduler, self.best)
        weights = torch.load(self.best.path, weights_only=True)
        return {"objects": [part.state_dict() for part in objects], "weights": weights}

    def files(self) -> list[str]:
        """All but hidden ones: what a kill cuts off stays as such."""
        return sorted(name for name in os.listdir(self.run_dir) if not name.startswith("."))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return _Training(tmp_path_factory.mktemp("unbroken"), epochs=5).run()


def _assert_equal(one, other):
    torch.testing.assert_close(one.state(), other.state(), rtol=0, atol=0)


@pytest.mark.parametrize(("kill_at", "stored"), [(2, 0), (4, 0), (9, 2), (10, 2), (18, 4)])
def test_killed_and_resumed_equals_unbroken_bit_for_bit(tmp_path, unbroken, kill_at, stored):
    killed = _Training(tmp_path, epochs=5).run(kill_at=kill_at)
    assert killed.files() == ([f"resume_checkpoint_{stored}.pt"] if stored else [])
    resumed = _Training(tmp_path, epochs=5).run()
    assert resumed.iterations == list(range(4 * stored + 1, 21))
    assert resumed.batches == unbroken.batches[4 * stored :]
    _assert_equal(resumed, unbroken)
    assert resumed.files() == ["resume_checkpoint_5.pt"]


def test_a_finished_training_keeps_its_newest_state_alone_though_killed_before_it_deleted_the_one_before(tmp_path):
    finished = _Training(tmp_path, epochs=2).run()
    (tmp_path / "run" / "resume_checkpoint_1.pt").write_bytes(b"not yet deleted")
    again = _Training(tmp_path, epochs=2).run()
    assert again.files() == ["resume_checkpoint_2.pt"]
    assert again.iterations == []
    torch.testing.assert_close(again.network.state_dict(), finished.network.state_dict(), rtol=0, atol=0)


def test_killed_again_and_again(tmp_path, unbroken):
    for kill_at in (6, 11, 15):
        _Training(tmp_path, epochs=5).run(kill_at=kill_at)
    resumed = _Training(tmp_path, epochs=5).run()
    _assert_equal(resumed, unbroken)
    assert resumed.files() == ["resume_checkpoint_5.pt"]


def test_a_finished_run_does_nothing_and_can_be_prolonged(tmp_path, unbroken):
    short = _Training(tmp_path, epochs=2).run()
    again = _Training(tmp_path, epochs=2).run()
    assert not again.batches
    _assert_equal(again, short)
    longer = _Training(tmp_path, epochs=5).run()
    assert longer.iterations == list(range(9, 21))
    _assert_equal(longer, unbroken)


@pytest.mark.parametrize(("first", "second"), [(2, 4), (4, 2)])
def test_epochs_may_have_another_length_when_a_training_goes_on(tmp_path, first, second):
    """As with other batches or another number of processes."""
    _Training(tmp_path, epochs=3, batch_size=first).run()
    resumed = _Training(tmp_path, epochs=5, batch_size=second).run()
    assert len(resumed.rates) == 2
    assert resumed.iterations == list(range(3 * 8 // second + 1, 5 * 8 // second + 1))


def test_the_log_says_where_a_training_goes_on_and_that_nothing_is_left(tmp_path, caplog):
    _Training(tmp_path, epochs=2).run()
    path = tmp_path / "run" / "resume_checkpoint_2.pt"
    for epochs, left in ((4, True), (4, False)):
        training = _Training(tmp_path, epochs=epochs)
        training.engine.logger.setLevel("INFO")
        caplog.clear()
        training.run()
        assert f"goes on after epoch {2 if left else 4} of 4, stored in {path.parent}" in caplog.text
        assert ("nothing is left to train" in caplog.text) != left


def _cosine(lr, epochs):
    return [lr * (1 + math.cos(math.pi * epoch / epochs)) / 2 for epoch in range(epochs)]


@pytest.mark.parametrize(("first", "lr"), [(2, 0.1), (3, 0.1), (2, 0.3)])
def test_a_prolonged_training_goes_on_by_the_new_schedule(tmp_path, first, lr, caplog):
    """The stored one would end at a learning rate of 0 and then rise again."""
    short = _Training(tmp_path, epochs=first, cosine=True).run()
    assert short.rates == pytest.approx(_cosine(0.1, first))
    longer = _Training(tmp_path, epochs=5, lr=lr, cosine=True)
    longer.engine.logger.setLevel("INFO")
    longer.run()
    assert longer.rates == pytest.approx(_cosine(lr, 5)[first:])
    assert "learning rate goes on by {'T_max': 5" in caplog.text
    assert str(tmp_path / "run" / f"resume_checkpoint_{first}.pt") in caplog.text


def test_an_unchanged_schedule_is_resumed_bit_for_bit(tmp_path, caplog):
    unbroken = _Training(tmp_path / "unbroken", epochs=5, cosine=True).run()
    _Training(tmp_path / "killed", epochs=5, cosine=True).run(kill_at=10)
    resumed = _Training(tmp_path / "killed", epochs=5, cosine=True)
    resumed.engine.logger.setLevel("INFO")
    _assert_equal(resumed.run(), unbroken)
    assert "learning rate" not in caplog.text


def test_the_newest_state_is_taken_by_number(tmp_path):
    finished = _Training(tmp_path, epochs=10).run()
    (tmp_path / "run" / "resume_checkpoint_9.pt").write_bytes(b"an older one that was not deleted")
    again = _Training(tmp_path, epochs=10).run()
    _assert_equal(again, finished)


def test_copies_that_somebody_has_made_are_neither_read_nor_deleted(tmp_path):
    _Training(tmp_path, 1).run()
    folder = tmp_path / "run"
    names = ["resume_checkpoint_backup_7.pt", "resume_checkpoint_1 (copy).pt", "resume_checkpoint_.pt"]
    for name in names:
        (folder / name).write_bytes(b"")
    _Training(tmp_path, 2).run()
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names, "resume_checkpoint_2.pt"])


def test_a_failed_write_keeps_the_state_before(tmp_path, unbroken, monkeypatch):
    training = _Training(tmp_path, epochs=5)
    save = torch.save

    def fail_in_the_third_epoch(state, file, **options):
        if training.engine.state.epoch == 3 and "trainer" in state:
            file.write(b"half")
            raise _KilledError
        save(state, file, **options)

    monkeypatch.setattr(torch, "save", fail_in_the_third_epoch)
    training.run(kill_at=20)
    assert training.files() == ["resume_checkpoint_2.pt"]
    monkeypatch.undo()
    _assert_equal(_Training(tmp_path, epochs=5).run(), unbroken)


def _kill_itself():
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_within_the_fourth_write(training):
    save = torch.save

    def killed_half_way(state, file):
        if training.engine.state.epoch == 4 and "trainer" in state:
            file.write(b"half")
            file.flush()
            _kill_itself()
        save(state, file)

    torch.save = killed_half_way
    training.run()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="spawning imports torch again")
@pytest.mark.parametrize(
    "run",
    [lambda training: training.run(kill_at=14, kill=_kill_itself), _kill_within_the_fourth_write],
    ids=["within an epoch", "while it writes"],
)
def test_a_process_that_is_killed_leaves_a_state_to_go_on_from(tmp_path, unbroken, run):
    def train_until_killed():
        torch.set_num_threads(1)
        run(_Training(tmp_path, epochs=5))

    process = multiprocessing.get_context("fork").Process(target=train_until_killed)
    process.start()
    try:
        process.join(timeout=60)
        assert process.exitcode == -signal.SIGKILL
    finally:
        process.kill()
        process.join()
    resumed = _Training(tmp_path, epochs=5)
    assert resumed.files() == ["resume_checkpoint_3.pt"]
    _assert_equal(resumed.run(), unbroken)


def _expect_refusal(tmp_path, training):
    path = tmp_path / "run" / "resume_checkpoint_1.pt"
    with pytest.raises(InputError, match=f"^{path}: expected the state of this training, found another one"):
        training.run()
    assert not training.batches
    assert training.files() == [path.name]


def test_state_of_another_network_is_refused(tmp_path):
    _Training(tmp_path, epochs=1).run()
    _expect_refusal(tmp_path, _Training(tmp_path, epochs=2, layers=3))


def test_state_of_other_objects_is_refused(tmp_path):
    training = _Training(tmp_path, epochs=2)
    torch.save({"network": training.network.state_dict()}, tmp_path / "run" / "resume_checkpoint_1.pt")
    _expect_refusal(tmp_path, training)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut off"])
def test_a_broken_state_is_refused(tmp_path, content):
    training = _Training(tmp_path, epochs=2)
    (tmp_path / "run" / "resume_checkpoint_1.pt").write_bytes(content)
    _expect_refusal(tmp_path, training)


@pytest.mark.parametrize("content", [[1, 2], torch.ones(2)])
def test_a_file_that_holds_something_else_is_refused(tmp_path, content):
    training = _Training(tmp_path, epochs=2)
    torch.save(content, tmp_path / "run" / "resume_checkpoint_1.pt")
    _expect_refusal(tmp_path, training)


class _Counter:
    """A state that other handlers change."""

    count = 0

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


@pytest.mark.parametrize("first", ["resume", "other"])
def test_what_is_stored_does_not_depend_on_the_order_of_handlers(tmp_path, first):
    def count_epochs(counter):
        counter.count += 1

    counter, engine = _Counter(), Engine(lambda engine, batch: None)
    if first == "resume":
        Resume(tmp_path, {"counter": counter}).attach(engine)
    engine.add_event_handler(Events.EPOCH_COMPLETED, count_epochs, counter)
    if first == "other":
        Resume(tmp_path, {"counter": counter}).attach(engine)
    engine.run([0], max_epochs=2)
    [path] = tmp_path.iterdir()
    assert torch.load(path)["counter"] == {"count": 2}
