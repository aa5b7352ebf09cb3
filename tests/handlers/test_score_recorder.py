from __future__ import annotations

import copy

import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader, MetaTensor
from monai.engines import SupervisedEvaluator
from monai.inferers import SliceInferer
from torch import nn

from monai_advdefense.errors import InputError
from monai_advdefense.guard import CombinedDecision, DefendedSegmenter, ReconstructionDetector, Reformer
from monai_advdefense.handlers.score_recorder import ScoreRecorder

SLICES = 11


@pytest.fixture
def network():
    torch.manual_seed(0)
    detector = ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1))
    reformer = Reformer(nn.Conv2d(1, 1, 3, padding=1))
    return DefendedSegmenter(detector, reformer, nn.Conv2d(1, 3, 3, padding=1))


def _volume(seed, slices=SLICES):
    volume = torch.rand(1, 12, slices, 10, generator=torch.Generator().manual_seed(seed))
    # Slices differ in brightness, so that a wrong order cannot go unnoticed; the last is blank.
    volume *= torch.linspace(1.0, 0.0, slices)[:, None]
    return MetaTensor(volume, meta={"filename_or_obj": f"{seed}.nii.gz"})


def _evaluator(network, volumes, sw_batch_size=4, handlers=(), batch_size=1):
    return SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader([{"image": volume} for volume in volumes], batch_size=batch_size),
        network=network,
        inferer=SliceInferer(roi_size=[12, 10], sw_batch_size=sw_batch_size, spatial_dim=1),
        val_handlers=list(handlers),
    )


def _independent_scores(network, volume):
    weight, bias = network.detector.network.weight, network.detector.network.bias
    scores = []
    for index in range(volume.shape[2]):
        spectrum = torch.fft.fftshift(torch.fft.fft2(volume[0, :, index].double()).abs() / 120)
        log = (torch.log(spectrum + 1e-7) + 16) / 16
        rebuilt = nn.functional.conv2d(log[None, None], weight.double(), bias.double(), padding=1)
        scores.append((log - rebuilt[0, 0]).square().sum().sqrt())
    return torch.stack(scores).detach()


@pytest.mark.parametrize("sw_batch_size", [1, 4, 11, 16])
def test_scores_and_decisions_are_in_slice_order_for_every_batch_size(network, sw_batch_size):
    volume = _volume(1)
    expected = _independent_scores(network, volume.as_tensor())
    threshold = expected[:-1].sort().values[5] + 1e-4
    network.detector.threshold.fill_(threshold)
    recorder = ScoreRecorder(network)
    evaluator = _evaluator(network, [volume], sw_batch_size, [recorder])
    evaluator.run()

    torch.testing.assert_close(recorder.scores.double(), expected, rtol=1e-4, atol=1e-5)
    assert recorder.blank.tolist() == [False] * (SLICES - 1) + [True]
    assert recorder.accepted.tolist() == ((expected <= threshold) | recorder.blank).tolist()
    assert {True, False} == set(recorder.accepted[:-1].tolist())
    labels = evaluator.state.output[0]["pred"].argmax(0)
    rejected = [bool((labels[:, index] == 3).all()) for index in range(SLICES)]
    assert rejected == (~recorder.accepted).tolist()


@pytest.mark.parametrize("sw_batch_size", [1, 4, 16])
def test_combined_scores_and_their_decisions_are_recorded_if_they_are_in_use(network, sw_batch_size):
    network = DefendedSegmenter(network.detector, network.reformer, network.segmenter, decision=CombinedDecision())
    network.detector.threshold.fill_(-1.0)
    network.decision.center.copy_(torch.tensor([2.0, 0.01]))
    network.decision.scale.copy_(torch.tensor([0.5, 0.002]))
    volume = _volume(1)
    slices = volume.as_tensor().movedim(2, 0)
    with torch.no_grad():
        spectral, divergence = network.scores(slices).unbind(1)
    torch.testing.assert_close(
        spectral.double(), _independent_scores(network, volume.as_tensor()), rtol=1e-4, atol=1e-5
    )
    expected = (spectral - 2.0) / 0.5 + (divergence - 0.01) / 0.002
    threshold = expected[:-1].sort().values[5] + 1e-3
    network.decision.threshold.fill_(threshold)
    recorder = ScoreRecorder(network)
    evaluator = _evaluator(network, [volume], sw_batch_size, [recorder])
    evaluator.run()

    torch.testing.assert_close(recorder.scores, expected, rtol=1e-4, atol=1e-3)
    assert recorder.blank.tolist() == [False] * (SLICES - 1) + [True]
    assert recorder.accepted.tolist() == ((expected <= threshold) | recorder.blank).tolist()
    assert recorder.accepted[:-1].sum() == 6
    labels = evaluator.state.output[0]["pred"].argmax(0)
    rejected = [bool((labels[:, index] == 3).all()) for index in range(SLICES)]
    assert rejected == (~recorder.accepted).tolist()
    assert not network.decision._forward_hooks


def test_an_accepted_slice_with_huge_logits_is_recorded_as_accepted(network):
    """Such that less 1 is the same float."""
    network.detector.threshold.fill_(1e6)
    with torch.no_grad():
        network.segmenter.weight.zero_()
        network.segmenter.bias.copy_(torch.tensor([1e9, 2e9, 3e9]))
    recorder = ScoreRecorder(network)
    evaluator = _evaluator(network, [_volume(1)], handlers=[recorder])
    evaluator.run()
    assert recorder.accepted.all()
    assert (evaluator.state.output[0]["pred"].argmax(0)[:, : SLICES - 1] == 2).all()


def test_values_are_there_for_other_handlers_and_belong_to_one_volume(network):
    recorder = ScoreRecorder(network)
    volumes = [_volume(1), _volume(2, slices=7)]
    evaluator = _evaluator(network, volumes, handlers=[recorder])
    seen = []
    evaluator.add_event_handler(Events.ITERATION_COMPLETED, lambda: seen.append(recorder.scores))
    evaluator.run()
    for volume, scores in zip(volumes, seen, strict=True):
        expected = _independent_scores(network, volume.as_tensor())
        torch.testing.assert_close(scores.double(), expected, rtol=1e-4, atol=1e-5)


def test_nothing_is_accepted_without_calibration(network):
    recorder = ScoreRecorder(network)
    _evaluator(network, [_volume(1)], handlers=[recorder]).run()
    assert len(recorder.accepted) == SLICES
    assert not recorder.accepted.any()


def test_a_slice_that_the_segmenter_cannot_handle_is_not_recorded_as_accepted(network):
    class Fragile(nn.Module):
        def forward(self, image):
            logits = image.repeat(1, 3, 1, 1)
            return torch.where(image.amax(dim=(1, 2, 3), keepdim=True) > 0.75, torch.nan, logits)

    network.reformer = nn.Identity()
    network.segmenter = Fragile()
    network.detector.threshold.fill_(1e6)
    volume = _volume(1)
    recorder = ScoreRecorder(network)
    _evaluator(network, [volume], handlers=[recorder]).run()
    bright = volume.as_tensor().amax(dim=(0, 1, 3)) > 0.75
    assert {True, False} == set(bright.tolist())
    assert recorder.accepted.tolist() == (~bright).tolist()


def test_network_is_left_without_hooks_and_unchanged(network):
    before = copy.deepcopy(network.state_dict())
    recorder = ScoreRecorder(network)
    _evaluator(network, [_volume(1)], handlers=[recorder]).run()
    assert not network._forward_hooks
    assert not network.decision._forward_hooks
    torch.testing.assert_close(network.state_dict(), before, equal_nan=True, rtol=0, atol=0)
    scores = recorder.scores
    network(torch.rand(2, 1, 12, 10))
    assert torch.equal(recorder.scores, scores)


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(2)])
@pytest.mark.parametrize("event", [Events.ITERATION_COMPLETED, Events.STARTED])
@pytest.mark.parametrize("recorders", [1, 2])
def test_an_exception_removes_the_hooks_and_goes_on(network, error, event, recorders):
    def fail():
        raise error

    evaluator = _evaluator(network, [_volume(1)])
    evaluator.add_event_handler(event, fail)
    for _ in range(recorders):
        ScoreRecorder(network).attach(evaluator)
    with pytest.raises(type(error), match=str(error)):
        evaluator.run()
    assert not network._forward_hooks
    assert not network.decision._forward_hooks


def test_an_exception_reaches_the_other_handlers(network):
    def fail():
        raise RuntimeError("broken")

    def translate(_, error):
        raise SystemExit(2) from error

    evaluator = _evaluator(network, [_volume(1)], handlers=[ScoreRecorder(network)])
    evaluator.add_event_handler(Events.ITERATION_COMPLETED, fail)
    evaluator.add_event_handler(Events.EXCEPTION_RAISED, translate)
    with pytest.raises(SystemExit):
        evaluator.run()
    assert not network.decision._forward_hooks


@pytest.mark.parametrize("wrap", [lambda network: network.detector, nn.Sequential])
def test_what_is_no_defended_segmenter_is_refused(network, wrap):
    with pytest.raises(InputError, match="network: expected a DefendedSegmenter, found (Rec|Seq)"):
        ScoreRecorder(wrap(network))
