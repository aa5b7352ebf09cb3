from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from monai.networks.nets import BasicUNet
from scipy.spatial.distance import jensenshannon
from torch import Tensor, nn

from monai_advdefense.errors import InputError
from monai_advdefense.guard import (
    CombinedDecision,
    DefendedSegmenter,
    ReconstructionDetector,
    Reformer,
    SpectralDecision,
)
from monai_advdefense.guard.divergence import divergence_score

CLASSES = 3


class Zero(nn.Module):
    """As a detector's network on the image: the score is the norm of the image."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Logarithm(nn.Module):
    """Logits that are not finite where the image is 0 or less."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([torch.log(x), x], dim=1)


def guard(threshold, *, reformer=None, segmenter=None, spatial_dims=2, decision=None, temperature=1.0):
    torch.manual_seed(0)
    convolution = nn.Conv2d if spatial_dims == 2 else nn.Conv3d
    detector = ReconstructionDetector(Zero(), domain="image")
    detector.threshold.fill_(threshold)
    network = DefendedSegmenter(
        detector,
        Reformer(reformer or convolution(1, 1, 3, padding=1)),
        segmenter or convolution(1, CLASSES, 3, padding=1),
        decision=decision,
        temperature=temperature,
    )
    return network.eval()


def combining(threshold, **arguments):
    """A guard that decides by both scores; that of the detector alone would reject everything."""
    network = guard(-1.0, decision=CombinedDecision(), **arguments)
    for name, value in (("center", [2.0, 0.1]), ("scale", [1.5, 0.05]), ("threshold", threshold)):
        getattr(network.decision, name).copy_(torch.tensor(value))
    return network


def switched(network, decision):
    """The same guard with the same numbers, which decides otherwise."""
    numbers = network.decision.state_dict()
    network = DefendedSegmenter(
        network.detector, network.reformer, network.segmenter, decision=decision(), temperature=network.temperature
    )
    network.decision.load_state_dict(numbers)
    return network.eval()


DECISIONS = [SpectralDecision, CombinedDecision]


def unets(threshold):
    """A guard of networks such as are shipped, on the spectrum."""
    torch.manual_seed(0)
    arguments = {"spatial_dims": 2, "in_channels": 1, "features": (4, 4, 4, 4, 8, 4), "norm": "batch"}
    detector = ReconstructionDetector(BasicUNet(out_channels=1, **arguments))
    detector.threshold.fill_(threshold)
    reformer = Reformer(BasicUNet(out_channels=1, **arguments))
    return DefendedSegmenter(detector, reformer, BasicUNet(out_channels=CLASSES, **arguments)).eval()


def assert_rejected(logits):
    assert torch.equal(logits[:-1], torch.zeros_like(logits[:-1]))
    assert torch.equal(logits[-1], torch.ones_like(logits[-1]))


def mixed_batch():
    """Samples of rising norm; the second is blank."""
    image = torch.rand(4, 1, 6, 8, generator=torch.Generator().manual_seed(3))
    return image * torch.tensor([0.1, 0.0, 1.0, 2.0]).reshape(4, 1, 1, 1)


@pytest.mark.parametrize(("spatial_dims", "sides"), [(2, (6, 8)), (3, (4, 6, 5))])
def test_accepted_samples_are_segmented_after_reforming(spatial_dims, sides):
    network = guard(1e6, spatial_dims=spatial_dims)
    image = torch.rand(3, 1, *sides)
    logits = network(image)
    expected = network.segmenter(network.reformer(image))
    assert logits.shape == (3, CLASSES + 1, *sides)
    assert torch.equal(logits[:, :-1], expected)
    assert torch.equal(logits[:, -1], expected.min(dim=1).values - 1)
    assert torch.equal(logits.argmax(1), expected.argmax(1))


def test_rejected_samples_are_rejected_everywhere():
    for logits in guard(0.5)(torch.rand(3, 1, 6, 8) + 1):
        assert_rejected(logits)


def test_nothing_passes_before_calibration():
    for logits in guard(float("nan"))(mixed_batch()):
        assert_rejected(logits)


def test_blank_samples_are_background():
    logits = guard(1.0)(torch.zeros(2, 1, 6, 8))
    expected = torch.tensor([1.0] + [0.0] * (CLASSES - 1) + [-1.0]).reshape(1, -1, 1, 1).expand_as(logits)
    assert torch.equal(logits, expected)


def test_each_sample_gets_its_own_decision():
    network = guard(1.0)
    image = mixed_batch()
    logits = network(image)
    assert network.detector.accept(image).tolist() == [True, True, False, False]
    torch.testing.assert_close(logits[:1, :-1], network.segmenter(network.reformer(image[:1])))
    assert (logits[1].argmax(0) == 0).all()
    assert_rejected(logits[2])
    assert_rejected(logits[3])
    torch.testing.assert_close(logits, torch.cat([network(sample[None]) for sample in image]))


@pytest.mark.parametrize("part", ["reformer", "segmenter"])
@pytest.mark.parametrize("threshold", [1.0, 1e6])
def test_broken_weights_reject_everything(part, threshold):
    network = guard(threshold)
    with torch.no_grad():
        next(getattr(network, part).parameters()).fill_(float("nan"))
    for logits in network(mixed_batch()):
        assert_rejected(logits)


def test_logits_that_are_not_finite_reject_their_sample_only():
    network = guard(1e6, reformer=nn.Identity(), segmenter=Logarithm())
    image = torch.rand(3, 1, 6, 8) * 0.8 + 0.1
    image[1, 0, 2, 3] = 0.0
    logits = network(image)
    assert_rejected(logits[1])
    assert torch.equal(logits[[0, 2], :-1], Logarithm()(image[[0, 2]]))


class HalfPrecision(nn.Module):
    """Logits as under autocast, whose sum over a large image is beyond half precision."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x + 5.0, x + 6.0], dim=1).half()


@pytest.mark.parametrize("make", [guard, combining])
def test_large_images_are_accepted_in_half_precision(make):
    network = make(1e6, reformer=nn.Identity(), segmenter=HalfPrecision())
    image = torch.rand(2, 1, 128, 128)
    logits = network(image)
    assert torch.equal(logits[:, :-1], HalfPrecision()(image))
    assert (logits[:, -1] < logits[:, 0]).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_image_that_is_not_finite_is_rejected(value):
    image = mixed_batch()
    image[0, 0, 1, 1] = value
    image[1] = value
    for logits in guard(1e6)(image)[:2]:
        assert_rejected(logits)


def test_gradients_flow_through_reformer_and_segmenter():
    network = guard(1.0)
    image = mixed_batch().requires_grad_()
    weight = torch.rand(4, CLASSES, 6, 8)
    (gradient,) = torch.autograd.grad((network(image)[:, :-1] * weight).sum(), image)
    bare = (network.segmenter(network.reformer(image)) * weight)[:1].sum()
    (expected,) = torch.autograd.grad(bare, image)
    assert expected[0].abs().sum() > 0
    # Rejected and blank samples have constant logits.
    assert torch.equal(gradient, expected)


def test_score_of_the_detector_is_reachable_and_differentiable():
    network = guard(1.0)
    image = (torch.rand(2, 1, 6, 8) + 0.1).requires_grad_()
    score = network.detector.score(image)
    (gradient,) = torch.autograd.grad(score.sum(), image)
    torch.testing.assert_close(gradient, (image / score.reshape(2, 1, 1, 1)).detach())


@pytest.mark.parametrize("decision", DECISIONS)
def test_the_names_in_a_checkpoint_stay(decision):
    state = DefendedSegmenter(ReconstructionDetector(Zero()), nn.Identity(), Zero(), decision=decision()).state_dict()
    assert set(state) == {"detector.threshold", "combination.center", "combination.scale", "combination.threshold"}


@torch.no_grad()
@pytest.mark.parametrize(("spatial_dims", "sides"), [(2, (6, 8)), (3, (4, 6, 5))])
def test_labels_are_the_largest_logits(spatial_dims, sides):
    network = guard(0.0, spatial_dims=spatial_dims)
    image = torch.rand(5, 1, *sides)
    image[2] = 0.0
    network.detector.threshold.copy_(network.score(image).median() + 0.01)
    labels = network.labels(image)
    assert labels.dtype == torch.uint8
    assert torch.equal(labels.long(), network(image).argmax(1))
    assert {0, CLASSES} < set(labels.unique().tolist())


def test_state_dict_round_trip_keeps_threshold_and_logits():
    first, second = unets(2.5), unets(float("nan"))
    image = torch.rand(2, 1, 16, 16)
    second.load_state_dict(first.state_dict(), strict=True)
    assert second.detector.threshold.item() == 2.5
    assert torch.equal(second(image), first(image))


def spectral_batch():
    """Samples of which a guard at the returned threshold accepts some; the second is blank."""
    image = torch.rand(4, 1, 32, 16, generator=torch.Generator().manual_seed(3))
    image = image * torch.tensor([0.1, 0.0, 0.5, 1.0]).reshape(4, 1, 1, 1)
    with torch.no_grad():
        scores = unets(1.0).detector.score(image[[0, 2, 3]]).sort().values
    return image, (scores[0] + scores[1]).item() / 2


def test_scripted_equals_eager():
    image, threshold = spectral_batch()
    network = unets(threshold)
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(network), buffer)
    buffer.seek(0)
    logits = network(image)
    assert sorted((logits[:, -1] == 1).flatten(1).all(1).tolist()) == [False, False, True, True]
    torch.testing.assert_close(torch.jit.load(buffer)(image), logits)


def both_scores(network, image):
    """Spectral and divergence score by independent means."""
    with torch.no_grad():
        logits = [network.segmenter(x) for x in (image, network.reformer.network(image).clamp(0, 1))]
    p, q = (torch.softmax(x / network.temperature, dim=1).numpy() for x in logits)
    divergence = jensenshannon(p, q, axis=1) ** 2
    inside = (image > 0.05).any(dim=1).numpy()
    means = [d[i].mean() if i.any() else 0.0 for d, i in zip(divergence, inside, strict=True)]
    return np.stack([image.flatten(1).norm(dim=1).numpy(), means], axis=1)


@pytest.mark.parametrize(("spatial_dims", "sides"), [(2, (6, 8)), (3, (4, 6, 5))])
@pytest.mark.parametrize("temperature", [1, 0.25])
def test_combined_scores_decide_as_if_composed_by_hand(spatial_dims, sides, temperature):
    network = combining(0.0, spatial_dims=spatial_dims, temperature=temperature)
    image = torch.rand(6, 1, *sides, generator=torch.Generator().manual_seed(3))
    image *= torch.tensor([0.1, 0.0, 0.4, 0.8, 1.0, 2.0]).reshape(6, *[1] * (spatial_dims + 1))
    image[:, :, 0] = 0.0
    expected = both_scores(network, image)
    combined = (expected[:, 0] - 2.0) / 1.5 + (expected[:, 1] - 0.1) / 0.05
    middle = float(np.median(np.delete(combined, 1)) + 1e-4)
    network.decision.threshold.fill_(middle)
    np.testing.assert_allclose(network.scores(image).detach(), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(network.score(image).detach(), combined, rtol=1e-4, atol=1e-4)

    logits = network(image)
    accepted = (combined <= middle) | (np.arange(6) == 1)
    assert 2 < accepted.sum() < 6
    for index in range(6):
        if not accepted[index]:
            assert_rejected(logits[index])
        elif index == 1:
            assert (logits[index].argmax(0) == 0).all()
        else:
            assert torch.equal(logits[index, :-1], network.segmenter(network.reformer(image))[index])


class Count(nn.Module):
    """A segmenter that knows how often it was called."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(1, CLASSES, 3, padding=1)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.convolution(x)


def test_the_sum_costs_one_pass_of_the_segmenter_and_without_it_nothing_of_it_counts():
    network = guard(1.0, segmenter=Count())
    image = mixed_batch()
    logits = network(image)
    assert network.segmenter.calls == 1
    for value in (0.0, math.inf):
        for buffer in network.decision.buffers():
            buffer.fill_(value)
        assert torch.equal(network(image), logits)
    network.segmenter.calls = 0
    network.score(image)
    assert network.segmenter.calls == 0
    switched(network, CombinedDecision)(image)
    assert network.segmenter.calls == 2


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_forward_hook_on_the_decision_sees_score_decision_and_blank_samples_once(decision):
    network = switched(combining(0.0), decision)
    image = mixed_batch()
    network.threshold.copy_(network.score(image)[[0, 2, 3]].median().detach())
    seen = []
    network.decision.register_forward_hook(lambda _, __, decided: seen.append(decided))
    network(image)
    (decided,) = seen
    torch.testing.assert_close(decided.score, network.score(image))
    assert decided.accepted.tolist() == network.decide(image, network.score(image)).tolist()
    assert set(decided.accepted[[0, 2, 3]].tolist()) == {True, False}
    assert decided.blank.tolist() == [False, True, False, False]
    # Scores that are asked for are not recorded.
    network.score(image), network.scores(image), network.excess(image)
    assert len(seen) == 1


@pytest.mark.parametrize("decision", DECISIONS)
def test_threshold_and_score_are_those_in_use_and_their_difference_tells_the_decision(decision):
    network = switched(combining(5.0), decision)
    image = mixed_batch()[[0, 2, 3]]
    used = network.detector if decision is SpectralDecision else network.decision
    for threshold in network.score(image).tolist():
        used.threshold.fill_(threshold)
        assert network.threshold is used.threshold
        assert network.state_dict()[network.threshold_key] == threshold
        excess = network.excess(image)
        assert torch.equal(excess, network.score(image) - threshold)
        accepted = network.decide(image, network.score(image))
        assert accepted.tolist() == (excess <= 0).tolist()
        assert accepted.any()
        rejected = (network(image)[:, -1] == 1).flatten(1).all(1)
        assert rejected.tolist() == (~accepted).tolist()
    used.threshold.fill_(math.nan)
    assert network.excess(image).isnan().all()


@pytest.mark.parametrize("decision", DECISIONS)
def test_excess_can_be_descended(decision):
    network = switched(combining(0.0), decision).double()
    image = (mixed_batch()[[0, 2]].double() + 0.05).requires_grad_()
    assert torch.autograd.gradcheck(network.excess, (image,))


def test_nothing_passes_before_the_sum_is_calibrated():
    network = guard(1e6, decision=CombinedDecision())
    for logits in network(mixed_batch()):
        assert_rejected(logits)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_prediction_on_the_image_that_is_not_finite_rejects_its_sample_only(value):
    class Fragile(nn.Module):
        def forward(self, x):
            broken = x.flatten(1).amax(1).reshape(-1, 1, 1, 1) > 1.0
            # The first pixel lies outside the image.
            corner = torch.zeros_like(x)
            corner[:, :, 0, 0] = 1.0
            return torch.where(broken & (corner > 0), value, torch.cat([x, 1 - x, x], dim=1))

    # The reformer clamps what breaks the segmenter.
    network = combining(1e6, reformer=nn.Identity(), segmenter=Fragile())
    image = torch.rand(3, 1, 6, 8)
    image[1] *= 3.0
    image[:, :, 0, 0] = 0.0
    logits = network(image)
    assert_rejected(logits[1])
    assert torch.equal(logits[[0, 2], :-1], network.segmenter(network.reformer(image))[[0, 2]])
    assert network.scores(image).isfinite().tolist() == [[True, True], [True, False], [True, True]]


@pytest.mark.parametrize("decision", DECISIONS)
def test_weights_fit_whichever_score_decides(decision):
    first = switched(combining(0.5), decision)
    for other in DECISIONS:
        second = guard(7.0, decision=other())
        second.load_state_dict(first.state_dict(), strict=True)
    second = switched(second, decision)
    image = mixed_batch()
    assert torch.equal(second(image), first(image))
    assert second.threshold == first.threshold


@pytest.mark.parametrize("decision", DECISIONS)
def test_scores_decisions_and_excess_travel_in_torchscript(decision):
    network = switched(combining(0.0, temperature=2), decision)
    image = mixed_batch()
    network.threshold.copy_(network.score(image)[[0, 2, 3]].median().detach())
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(network), buffer)
    buffer.seek(0)
    loaded = torch.jit.load(buffer)
    for name in ("scores", "score", "excess"):
        torch.testing.assert_close(getattr(loaded, name)(image), getattr(network, name)(image))
    decisions = loaded.decide(image, loaded.score(image))
    assert decisions.tolist() == network.decide(image, network.score(image)).tolist()
    assert {True, False} == set(decisions.tolist())
    torch.testing.assert_close(loaded(image), network(image))


@pytest.mark.parametrize("temperature", [0, -1.0, math.nan, math.inf])
def test_a_temperature_that_is_not_positive_is_an_error(temperature):
    with pytest.raises(InputError, match="temperature: expected a positive"):
        guard(1.0, temperature=temperature)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("decision", DECISIONS)
def test_onnx_with_free_batch_height_and_width(decision):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    detector = ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1))
    reformer = Reformer(nn.Conv2d(1, 1, 3, padding=1))
    segmenter = nn.Conv2d(1, CLASSES, 3, padding=1)
    network = DefendedSegmenter(detector, reformer, segmenter, decision=decision()).eval()
    network.decision.center.fill_(0.1)
    network.decision.scale.fill_(0.5)
    image = mixed_batch()
    with torch.no_grad():
        scores = network.score(image)
    network.threshold.copy_((scores[0] + scores[2]) / 2)
    dynamic = {"image": {axis: torch.export.Dim(name) for axis, name in ((0, "batch"), (2, "h"), (3, "w"))}}
    program = torch.onnx.export(network, (image,), output_names=["pred"], dynamic_shapes=dynamic, dynamo=True)
    buffer = io.BytesIO()
    program.save(buffer)
    session = runtime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    for batch in (image, torch.rand(3, 1, 11, 7)):
        (pred,) = session.run(["pred"], {"image": batch.numpy()})
        np.testing.assert_allclose(pred, network(batch).detach(), atol=1e-5)


@pytest.mark.parametrize(("classes", "dtype"), [(255, torch.uint8), (256, torch.int16)])
def test_the_class_rejected_fits_into_the_labels_of_many_classes(classes, dtype):
    labels = guard(-1.0, segmenter=nn.Conv2d(1, classes, 1)).labels(torch.rand(1, 1, 4, 4))
    assert labels.dtype == dtype
    assert (labels == classes).all()


def test_the_temperature_divides_the_logits_that_are_compared():
    image = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    network = combining(0.0, temperature=2.0)
    logits = [network.segmenter(each) / 2 for each in (image, network.reformer(image))]
    torch.testing.assert_close(network.scores(image)[:, 1], divergence_score(*logits, image))
