"""MONAI's client of federated learning, which NVFlare runs at each site, on the bundle of the detector."""

from __future__ import annotations

import pytest
import torch
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems, ModelType, WeightType
from monai.fl.utils.exchange_object import ExchangeObject

from .conftest import SMALL_TRAINING

pytestmark = pytest.mark.filterwarnings("ignore:executing the bundle config:UserWarning")


@pytest.fixture
def bundle(copy_bundle):
    return copy_bundle("brain_mri_detector")


@pytest.fixture
def client(bundle, phantoms, samples):
    """An initialized client; each call is a new one in the same folder."""

    def create(*, send_weight_diff=True, **overrides):
        common = {"bundle_root": str(bundle), "dataset_dir": str(phantoms), "sample_dir": str(samples)}
        common |= {"device": "$torch.device('cpu')"} | SMALL_TRAINING | overrides
        algorithm = MonaiAlgo(
            str(bundle), send_weight_diff=send_weight_diff, train_kwargs=dict(common), eval_kwargs=dict(common)
        )
        algorithm.initialize({ExtraItems.CLIENT_NAME: "site"})
        return algorithm

    return create


def _weights(algorithm, *, threshold):
    """What a server sends: weights that no file of the site holds."""
    network = algorithm.trainer.network
    generator = torch.Generator().manual_seed(7)
    state = {}
    for key, value in network.state_dict().items():
        change = 0.01 * torch.rand(value.shape, generator=generator) if value.is_floating_point() else 0
        state[key] = value + change
    state["threshold"] = torch.tensor(threshold)
    return state


def test_each_round_starts_from_the_weights_of_the_server(client):
    """With a learning rate of 0 only the statistics of the batch normalization may change."""
    algorithm = client(learning_rate=0.0)
    sent = _weights(algorithm, threshold=1.0)
    parameters = {name for name, _ in algorithm.trainer.network.named_parameters()}
    for round_ in (1, 2):
        sent = {key: value + 0.125 if key in parameters else value for key, value in sent.items()}
        algorithm.train(ExchangeObject(weights=dict(sent)))
        assert algorithm.trainer.state.epoch == round_
        difference = algorithm.get_weights()
        assert difference.weight_type == WeightType.WEIGHT_DIFF
        assert difference.weights.keys() == sent.keys()
        assert all(difference.weights[name].eq(0).all() for name in parameters)
        assert any(difference.weights[name].ne(0).any() for name in sent if name.endswith("running_mean"))


def test_two_sites_learn_together(client, tmp_path):
    sites = [client(send_weight_diff=False, seed=seed, run_dir=str(tmp_path / f"site_{seed}")) for seed in (0, 1)]
    shared = dict(sites[0].trainer.network.state_dict())
    assert shared["threshold"].isnan()
    before = sites[0].evaluate(ExchangeObject(weights=dict(shared))).metrics["val_mse"]
    for _ in range(2):
        received = []
        for site in sites:
            site.train(ExchangeObject(weights={key: value.clone() for key, value in shared.items()}))
            received.append(site.get_weights().weights)
        assert any(not torch.equal(received[0][key], received[1][key]) for key in shared)
        shared = {key: torch.stack([part[key].float() for part in received]).mean(0) for key in shared}
    after = [site.evaluate(ExchangeObject(weights=dict(shared))).metrics["val_mse"] for site in sites]
    assert after[0] == pytest.approx(after[1])
    assert after[0] < before
    # Uncalibrated stays uncalibrated: each site calibrates the result on its own images.
    assert shared["threshold"].isnan()


def test_evaluation_uses_the_weights_that_were_sent_and_no_file(client, bundle, write_weights):
    write_weights(bundle, seed=5, threshold=1000.0)
    algorithm = client()
    rejecting, accepting = (_weights(algorithm, threshold=value) for value in (0.0, 1e6))
    # Dark slices are accepted in any case.
    low = dict(algorithm.evaluate(ExchangeObject(weights=rejecting)).metrics)
    high = dict(algorithm.evaluate(ExchangeObject(weights=accepting)).metrics)
    assert low["val_accepted"] < 1
    assert high["val_accepted"] == 1
    assert low["val_mse"] == high["val_mse"]


def test_the_best_weights_of_a_site_are_those_of_its_bundle(client, bundle):
    algorithm = client(send_weight_diff=False)
    algorithm.train(ExchangeObject(weights=_weights(algorithm, threshold=1.0)))
    best = algorithm.get_weights({ExtraItems.MODEL_TYPE: ModelType.BEST_MODEL}).weights
    stored = torch.load(bundle / "models" / "model.pt", weights_only=True)
    assert best.keys() == stored.keys()
    assert all(torch.equal(best[key], stored[key]) for key in stored if key != "threshold")
