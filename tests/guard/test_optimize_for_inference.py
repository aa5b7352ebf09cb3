import copy
from pydoc import locate

import pytest
import torch
from monai.networks.nets import BasicUNet
from torch import nn
from torch.nn.utils import prune

from monai_advdefense.guard import CombinedDecision, DefendedSegmenter, ReconstructionDetector, Reformer
from monai_advdefense.guard.optimize_for_inference import InferenceOptimizer, optimize_for_inference
from monai_advdefense.networks import WindowedUNet
from tests.networks.test_fold_batch_norm import norms, trained

SIDE = 96


def unet(classes: int) -> nn.Module:
    return BasicUNet(spatial_dims=2, out_channels=classes, features=(4, 4, 8, 8, 16, 4), norm="batch")


@pytest.fixture
def guard() -> DefendedSegmenter:
    torch.manual_seed(0)
    guard = DefendedSegmenter(ReconstructionDetector(unet(1)), Reformer(unet(1)), unet(3), decision=CombinedDecision())
    trained(guard)
    guard.decision.center.copy_(torch.tensor([2.0, 0.1]))
    guard.decision.scale.copy_(torch.tensor([0.5, 0.2]))
    return guard


@pytest.fixture
def image() -> torch.Tensor:
    image = torch.zeros(4, 1, SIDE, SIDE)
    image[:3, :, 30:60, 25:70] = torch.rand(3, 1, 30, 45)
    return image


def rejected(logits: torch.Tensor) -> torch.Tensor:
    return (logits.argmax(1) == 3).flatten(1).all(1)


@torch.no_grad()
def test_scores_decisions_and_logits_of_the_object_are_those_of_the_guard(
    guard: DefendedSegmenter, image: torch.Tensor
) -> None:
    scores = guard.score(image)
    guard.decision.threshold.copy_(scores[:3].sort().values[1] + 1e-3)
    expected = guard(image)
    fast = optimize_for_inference(guard, image)
    torch.testing.assert_close(fast.score(image), scores, atol=1e-4, rtol=1e-4)
    found = fast(image)
    assert torch.equal(rejected(found), rejected(expected))
    assert rejected(found).any(), "no slice is rejected, so rejection is not tested"
    inside = (..., slice(30, 60), slice(25, 70))
    torch.testing.assert_close(found[inside], expected[inside], atol=1e-4, rtol=1e-4)


def test_networks_are_folded_and_windowed_and_the_guard_stays(guard: DefendedSegmenter, image: torch.Tensor) -> None:
    before = copy.deepcopy(guard.state_dict())
    with torch.no_grad():
        fast = optimize_for_inference(guard, image)
    assert norms(fast) == 0
    assert isinstance(fast.segmenter, WindowedUNet)
    assert isinstance(fast.reformer.network, WindowedUNet)
    assert isinstance(fast.detector.network, BasicUNet)
    assert fast.threshold is guard.threshold
    assert list(guard.state_dict()) == list(before)
    assert type(guard.segmenter) is BasicUNet
    assert type(guard.detector.network) is BasicUNet


@torch.no_grad()
def test_a_pruned_network_runs_as_it_is(guard: DefendedSegmenter, image: torch.Tensor) -> None:
    with torch.enable_grad():
        prune.l1_unstructured(guard.segmenter.final_conv, "weight", amount=0.5)
    fast = optimize_for_inference(guard, image)
    assert isinstance(fast.reformer.network, WindowedUNet)
    torch.testing.assert_close(fast.score(image), guard.score(image), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_hooks_on_the_guard_and_its_decision_are_called(guard: DefendedSegmenter, image: torch.Tensor) -> None:
    seen: list[str] = []
    for name, module in (("guard", guard), ("decision", guard.decision)):
        module.register_forward_hook(lambda *_, name=name: seen.append(name))
    fast = optimize_for_inference(guard, image)
    fast(image)
    assert sorted(seen) == ["decision", "guard"]
    fast.labels(image)
    assert seen.count("decision") == 2


@torch.no_grad()
def test_hooks_within_a_network_see_and_change_what_they_do_in_the_guard(guard, image) -> None:
    shapes: list[torch.Size] = []
    guard.segmenter.register_forward_hook(lambda *passed: passed[-1].flip(1))
    guard.segmenter.upcat_1.register_forward_hook(lambda *passed: shapes.append(passed[-1].shape))
    expected, seen = guard.labels(image), shapes.copy()
    fast = optimize_for_inference(guard, image)
    shapes.clear()
    assert (fast.labels(image) == expected).float().mean() > 0.999
    assert shapes == seen
    assert isinstance(fast.reformer.network, WindowedUNet)


def test_what_is_no_guard_or_in_training_is_returned_as_it_is(guard: DefendedSegmenter, image: torch.Tensor) -> None:
    network = unet(2).eval()
    assert optimize_for_inference(network, image) is network
    guard.reformer.train()
    assert optimize_for_inference(guard, image) is guard


@torch.no_grad()
def test_other_networks_and_other_sizes_run_without_a_window(image: torch.Tensor) -> None:
    guard = DefendedSegmenter(ReconstructionDetector(nn.Identity()), nn.Identity(), unet(3)).eval()
    small = image[..., :40, :50]
    assert not isinstance(optimize_for_inference(guard, small).segmenter, WindowedUNet)
    assert isinstance(optimize_for_inference(guard, image).segmenter, WindowedUNet)
    torch.testing.assert_close(optimize_for_inference(guard, small)(small), guard(small), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_guard_is_made_ready_once_and_anew_after_any_change(guard: DefendedSegmenter, image: torch.Tensor) -> None:
    optimize = InferenceOptimizer()
    fast = optimize(guard, image)
    assert optimize(guard, image[:1] + 1) is fast
    changes = [
        # Not even the version of the tensor tells of this one.
        lambda: guard.segmenter.final_conv.weight.data.mul_(2),
        lambda: guard.reformer.network.conv_0.conv_0.adn.N.running_mean.add_(1),
        lambda: setattr(guard, "segmenter", copy.deepcopy(guard.segmenter)),
        lambda: guard.segmenter.final_conv.register_forward_hook(print),
        lambda: guard.segmenter.final_conv._forward_hooks.clear(),
        lambda: guard.double(),
    ]
    for change in changes:
        change()
        image = image.to(guard.segmenter.final_conv.weight)
        previous, fast = fast, optimize(guard, image)
        assert fast is not previous
        torch.testing.assert_close(fast.score(image), optimize_for_inference(guard, image).score(image))
        assert optimize(guard, image) is fast
    assert optimize(guard, image[..., :48]) is not fast


@torch.no_grad()
def test_a_guard_of_another_thread_does_not_take_its_place(guard, image, monkeypatch) -> None:
    optimize, seen = InferenceOptimizer(), "monai_advdefense.guard.optimize_for_inference._Seen"
    fast, other, fits = optimize(guard, image), copy.deepcopy(guard), locate(seen).fits

    def meanwhile(*arguments):
        monkeypatch.setattr(f"{seen}.fits", fits)
        assert optimize(other, image) is not fast
        return fits(*arguments)

    monkeypatch.setattr(f"{seen}.fits", meanwhile)
    assert optimize(guard, image) is fast
