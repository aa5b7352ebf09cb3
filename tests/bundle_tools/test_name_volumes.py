from __future__ import annotations

import traceback

import pytest
import torch
from ignite.engine import Events
from monai.data import CacheDataset, DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator
from monai.transforms import Compose, Lambdad

from monai_advdefense.bundle_tools.name_volumes import NamingCompose, naming, run_naming
from monai_advdefense.errors import CalibrationError, InputError, own_error
from monai_advdefense.messages import broken_rule

OURS = broken_rule("axcodes", "a volume", "an image", "give None")


def _raise(error):
    raise error


def test_errors_of_ours_have_the_file_in_front_and_keep_their_kind():
    rule = broken_rule("weight", "a number", "none", "add slices", error=CalibrationError)
    expected = pytest.raises(CalibrationError, match=r"^/a/b\\n\.nii, c\.nii: weight: expected a number, found none")
    with expected, naming(["/a/b\\n.nii", "c.nii"]):
        raise RuntimeError from rule


def test_other_errors_stay_and_have_the_file_in_a_note():
    error = ZeroDivisionError("why")
    with pytest.raises(RuntimeError) as told, naming(["b.nii"]):
        raise RuntimeError("applying transform") from error
    assert told.value.__cause__ is error
    assert error.__notes__ == ["(b.nii)"]


@pytest.mark.parametrize("error", [broken_rule("in/b.nii", "x", "y", "z"), ValueError("no b.nii")])
def test_errors_that_name_the_file_stay_as_they_are(error):
    with pytest.raises(type(error)) as told, naming(["/elsewhere/in/b.nii"]):
        raise error
    assert told.value is error
    assert not hasattr(error, "__notes__")
    with pytest.raises(InputError) as told, naming([]):
        raise OURS
    assert told.value is OURS


@pytest.mark.parametrize(
    ("item", "name"), [({"image": "b.nii"}, "b.nii"), ({"t1": ["b.nii", "c.nii"]}, "b.nii, c.nii")]
)
def test_transforms_name_the_volume_in_a_worker_as_well(item, name):
    dataset = Dataset([item], NamingCompose([lambda _: _raise(OURS)], key="image"))
    for workers in (0, 1):
        with pytest.raises(Exception, match="axcodes") as told:
            list(DataLoader(dataset, num_workers=workers))
        assert str(own_error(told.value)) == f"{name}: {OURS}"
    with pytest.raises(RuntimeError) as other:
        NamingCompose([lambda _: _raise(ValueError("no file"))], key="image")(item)
    assert f"({name})" in "".join(traceback.format_exception(other.value))


def test_transforms_do_what_compose_does():
    item, twice = {"image": 2}, NamingCompose([Lambdad("image", lambda x: x + 1)] * 2, key="image")
    assert twice(item)["image"] == 4
    assert twice(item, end=1)["image"] == 3
    assert CacheDataset([item], twice, progress=False)[0]["image"] == 4


def _volume(name):
    return {"image": MetaTensor(torch.ones(1, 2, 2, 2), meta={"filename_or_obj": name})}


def _evaluator(network=None, items=("a.nii", "b.nii", "c.nii"), batch_size=1, **options):
    loader = DataLoader(Dataset([_volume(item) for item in items]), batch_size=batch_size)
    images = {"prepare_batch": lambda batch, *_, **__: (batch["image"], None)}
    return SupervisedEvaluator(torch.device("cpu"), loader, network or torch.nn.Identity(), **images, **options)


class _Second(torch.nn.Module):
    def __init__(self, error):
        super().__init__()
        self.calls, self.error = 0, error

    def forward(self, image):
        self.calls += 1
        return _raise(self.error) if self.calls == 2 else image


@pytest.mark.parametrize(("batch_size", "names"), [(1, "b.nii"), (2, "c.nii, d.nii")])
def test_an_evaluator_names_the_volumes_that_the_network_cannot_take(batch_size, names):
    error = ValueError("sizes do not match")
    with pytest.raises(ValueError, match="sizes"):
        run_naming(_evaluator(_Second(error), ("a.nii", "b.nii", "c.nii", "d.nii"), batch_size), "image")
    assert error.__notes__ == [f"({names})"]


def test_an_evaluator_names_the_volume_whose_prediction_does_not_fit():
    found = iter([False, True])
    after = Compose([lambda data: _raise(OURS) if next(found) else data])
    with pytest.raises(InputError, match=r"^b\.nii: axcodes: expected"):
        run_naming(_evaluator(postprocessing=after), "image")


@pytest.mark.parametrize("event", [Events.EPOCH_COMPLETED, Events.COMPLETED])
def test_what_ends_a_run_after_its_volumes_names_none(event):
    engine = _evaluator()
    engine.add_event_handler(event, lambda: _raise(OURS))
    with pytest.raises(InputError) as told:
        run_naming(engine, "image")
    assert told.value is OURS


def test_a_volume_that_cannot_be_loaded_is_not_taken_for_the_one_before():
    engine = _evaluator()
    engine.data_loader = (_volume("a.nii") if number == 0 else _raise(OURS) for number in range(2))
    with pytest.raises(InputError) as told:
        run_naming(engine, "image")
    assert engine.state.iteration == 1
    assert told.value is OURS
