from __future__ import annotations

from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

import monai_advdefense
from experiments.attacks import EPSILON, PGD_STEP_SIZE
from experiments.paper.baseline_networks import DEFENCES, baseline_networks
from experiments.paper.names import NO_REFORMER
from experiments.paper.networks import paper_networks
from experiments.paper.presets import PRESETS
from experiments.paper.training import configuration
from monai_advdefense.defences import AdversarialBatch, DefenseGAN, TemperedLoss

BUNDLES = Path(monai_advdefense.__file__).parents[1] / "bundles"


@pytest.fixture(scope="module")
def networks():
    return {(t.role, t.name): t for t in baseline_networks(PRESETS["smoke_baselines"], seed=5)}


@pytest.fixture
def parser(networks):
    """The configuration of a training, ready to give its parts."""

    def parse(role, name):
        return ConfigParser({**configuration(networks[role, name], BUNDLES), "device": "cpu"})

    return parse


@pytest.mark.parametrize(("baselines", "preset"), [("baselines", "small"), ("smoke_baselines", "smoke")])
def test_the_plain_network_is_the_target_of_the_other_preset(baselines, preset):
    plain = baseline_networks(PRESETS[baselines], seed=3)[0]
    assert plain == next(t for t in paper_networks(PRESETS[preset], seed=3) if (t.role, t.name) == ("target", "UNet"))


def test_a_training_like_another_changes_what_that_one_changes_but_for_what_it_says(networks):
    fgsm, pgd, teacher, student = (
        networks["target", f"UNet {name}"] for name in ("adversarial FGSM", "adversarial PGD", "teacher", "distilled")
    )
    assert {name for name in pgd.overrides if pgd.overrides[name] != fgsm.overrides[name]} == {"attacked_batch"}
    assert pgd.overrides.keys() == fgsm.overrides.keys()
    assert teacher.overrides.keys() < student.overrides.keys()
    assert student.overrides["optimizer#params"] == teacher.overrides["optimizer#params"]


def test_every_defence_has_its_networks(networks):
    for network, reformer in DEFENCES.values():
        assert ("target", network) in networks
        assert reformer == NO_REFORMER or ("reformer", reformer) in networks
    assert next(iter(DEFENCES.values())) == ("UNet", NO_REFORMER)


@pytest.mark.parametrize(("name", "steps"), [("UNet adversarial FGSM", None), ("UNet adversarial PGD", 7)])
def test_training_and_validation_attack_the_network_that_is_trained(parser, name, steps):
    config = parser("target", name)
    batch = config.get_parsed_content("attacked_batch")
    assert isinstance(batch, AdversarialBatch)
    assert batch.network is config.get_parsed_content("network")
    assert batch.attack.keywords.get("steps") == steps
    assert {batch.attack.keywords.get(key) for key in ("epsilon", "radius")} == {None, EPSILON}
    assert batch.attack.keywords.get("step_size", PGD_STEP_SIZE) == PGD_STEP_SIZE
    for engine in ("train#trainer", "validate#evaluator"):
        assert config[f"{engine}#prepare_batch"] == "@attacked_batch"


def test_teacher_and_student_have_one_temperature_and_the_student_is_tested_at_1(parser, networks):
    teacher, student = parser("target", "UNet teacher"), parser("target", "UNet distilled")
    assert teacher["train#trainer#loss_function#_target_"].endswith(TemperedLoss.__name__)
    temperatures = {config["train#trainer#loss_function#temperature"] for config in (teacher, student)}
    assert temperatures == {20.0}
    student.parse()
    assert student["network_def"] == student["teacher_def"] == teacher["network_def"]
    assert networks["target", "UNet distilled"].teacher == "UNet teacher"
    assert "teacher_path" not in student.config


@pytest.mark.parametrize("name", ["UNet teacher", "UNet distilled"])
def test_logits_over_the_temperature_grow_as_fast_as_without_one(parser, name):
    config = parser("target", name)
    network, optimizer = config.get_parsed_content("network"), config.get_parsed_content("optimizer")
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(network.parameters()))
    with torch.no_grad():
        for parameter in network.final_conv.parameters():
            parameter.zero_()
    x, temperature = torch.rand(2, 1, 32, 32), config["train#trainer#loss_function#temperature"]
    (network(x)[:, 1] / temperature).sum().backward()
    optimizer.step()
    # The first step of Adam is the learning rate, in the direction of the gradient.
    step = network.final_conv.bias[1] / temperature
    assert abs(step.item()) == pytest.approx(config["learning_rate"], rel=1e-3)


@pytest.mark.parametrize("preset", ["smoke_baselines", "baselines"])
def test_the_generator_makes_slices_of_the_preset_and_the_critic_judges_them(preset):
    training = baseline_networks(PRESETS[preset], seed=0)[-1]
    config = ConfigParser({**configuration(training, BUNDLES), "device": "cpu"})
    network, critic = config.get_parsed_content("network"), config.get_parsed_content("critic")
    assert isinstance(network, DefenseGAN)
    torch.manual_seed(0)
    made = network.generator(torch.randn(2, network.latent_size))
    side = PRESETS[preset].side
    assert made.shape == (2, 1, side, side)
    assert critic(made).shape == (2, 1)
    assert (critic(made)[0] != critic(made)[1]).all()
