import pytest
import torch
from ignite.engine import Engine, Events
from monai.transforms import Compose, RandGaussianNoise, RandRotate90
from torch.utils.data import DataLoader

from monai_advdefense.handlers import EpochSeed


def _transform():
    return Compose([RandRotate90(prob=0.5), RandGaussianNoise(prob=1.0)])


def _numbers(seed, epochs, first_epoch=0, transform=None):
    """By epoch: order of the shuffled data, a draw of torch, and a transformed image."""
    loader, seen = DataLoader(list(range(20)), batch_size=20, shuffle=True), []
    image = torch.arange(16.0).reshape(1, 4, 4)

    def step(engine, batch):
        augmented = transform(image) if transform is not None else image
        seen.append((batch.tolist(), torch.rand(3).tolist(), torch.as_tensor(augmented).tolist()))

    engine = Engine(step)
    EpochSeed(seed, transform).attach(engine)
    engine.add_event_handler(Events.STARTED, lambda: setattr(engine.state, "epoch", first_epoch))
    engine.run(loader, max_epochs=epochs)
    return seen


def test_an_epoch_depends_on_its_number_and_the_seed_alone():
    whole = _numbers(7, 4, transform=_transform())
    torch.manual_seed(99)
    assert _numbers(7, 4, first_epoch=2, transform=_transform()) == whole[2:]


def test_epochs_and_seeds_differ_in_all_three():
    runs = [epoch for seed in (0, 1, 2) for epoch in _numbers(seed, 4, transform=_transform())]
    for kind in range(3):
        values = [str(run[kind]) for run in runs]
        assert len(set(values)) == len(values)


def test_processes_of_a_group_draw_differently(monkeypatch):
    first = _numbers(7, 2, transform=_transform())
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    second = _numbers(7, 2, transform=_transform())
    for kind in range(3):
        assert all(one[kind] != other[kind] for one, other in zip(first, second, strict=True))


def test_a_used_transform_is_seeded_anew():
    used = _transform()
    for _ in range(3):
        used(torch.ones(1, 4, 4))
    assert _numbers(3, 2, transform=used) == _numbers(3, 2, transform=_transform())


@pytest.mark.parametrize("transform", [None, torch.nn.Identity()])
def test_without_a_random_transform_torch_is_seeded(transform):
    assert _numbers(3, 2, transform=transform) == _numbers(3, 2)


def test_a_huge_seed_is_taken():
    assert len(_numbers(2**40, 1, transform=_transform())) == 1
