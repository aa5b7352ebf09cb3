"""The networks of the baselines, each as overrides of a bundle's training configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from experiments.attacks import EPSILON, PGD_STEP_SIZE
from experiments.paper.names import NO_REFORMER
from experiments.paper.networks import Training, clean_images_of_the_data_set, common_overrides, target_network
from experiments.paper.presets import Preset

PLAIN = "UNet"
_FGSM, _PGD = "UNet adversarial FGSM", "UNet adversarial PGD"
_TEACHER, _STUDENT = "UNet teacher", "UNet distilled"
_GAN = "Defense-GAN"

DEFENCES = {
    NO_REFORMER: (PLAIN, NO_REFORMER),
    "adversarial training (FGSM)": (_FGSM, NO_REFORMER),
    "adversarial training (PGD)": (_PGD, NO_REFORMER),
    "defensive distillation": (_STUDENT, NO_REFORMER),
    "Defense-GAN": (PLAIN, _GAN),
}
"""Target network and reformer of each defence, none first; the attacks are made against the target network."""

# Steps of the attack in each training step, as Madry et al. have for CIFAR-10.
PGD_TRAINING_STEPS = 7
# Papernot et al. use 20 on MNIST and CIFAR-10.
TEMPERATURE = 20.0
# A training step of the GAN, in passes of the generator with gradient: two of its own, the rest of the critic.
GAN_COST = 4.0


def baseline_networks(preset: Preset, seed: int) -> list[Training]:
    """All networks that the baselines need; the first one is the plain target network of the other presets."""
    plain = target_network(preset, seed, PLAIN)
    # Augmentation may carry a slice out of [0, 1].
    fgsm = {"_target_": "monai_advdefense.attacks.fgsm", "epsilon": EPSILON, "bounds": None}
    pgd = {
        "_target_": "monai_advdefense.attacks.pgd",
        "radius": EPSILON,
        "steps": PGD_TRAINING_STEPS,
        "step_size": PGD_STEP_SIZE,
        "norm": "linf",
        # The bundle seeds the global random state anew for each epoch.
        "generator": "$torch.default_generator",
        "bounds": None,
    }
    return [
        plain,
        _changed(plain, _FGSM, _attacked(fgsm), cost=2.3),
        _changed(plain, _PGD, _attacked(pgd), cost=1.3 + PGD_TRAINING_STEPS),
        _changed(plain, _TEACHER, _tempered()),
        _changed(plain, _STUDENT, _distilled(plain), cost=1.3, teacher=_TEACHER),
        _defense_gan(preset, seed),
    ]


def _changed(plain: Training, name: str, overrides: Mapping[str, Any], **facts: Any) -> Training:
    return replace(plain, name=name, overrides={**plain.overrides, **overrides}, **facts)


def _attacked(attack: Mapping[str, Any]) -> dict[str, Any]:
    """Train on attacked slices, and keep the weights that are best on attacked slices."""
    batch = {
        "_target_": "monai_advdefense.defences.AdversarialBatch",
        "network": "@network",
        "attack": {**attack, "_mode_": "callable"},
    }
    return {
        "attacked_batch": batch,
        "train#trainer#prepare_batch": "@attacked_batch",
        "validate#evaluator#prepare_batch": "@attacked_batch",
    }


def _tempered() -> dict[str, Any]:
    loss = {"_target_": "monai_advdefense.defences.TemperedLoss", "loss": "@loss", "temperature": TEMPERATURE}
    return {"train#trainer#loss_function": loss, **_fast_logits()}


def _fast_logits() -> dict[str, Any]:
    """The last layer learns faster by the temperature, which its logits are divided by.

    A step of Adam does not depend on the size of the gradient: at one learning rate for all layers the logits would
    need that many times the steps to grow as far as without a temperature.
    """
    last = f"{{'params': @network.final_conv.parameters(), 'lr': {TEMPERATURE} * @learning_rate}}"
    others = "{'params': [p for n, p in @network.named_parameters() if not n.startswith('final_conv.')]}"
    return {"optimizer#params": f"$[{last}, {others}]"}


def _distilled(plain: Training) -> dict[str, Any]:
    loss = {
        "_target_": "monai_advdefense.defences.distillation_loss",
        "_mode_": "callable",
        "temperature": TEMPERATURE,
        "class_weights": "$@loss.class_weights",
    }
    batch = {
        "_target_": "monai_advdefense.defences.DistillationBatch",
        "teacher": "@teacher",
        "weights": "@teacher_path",
    }
    return {
        "teacher_def": plain.overrides["network_def"],
        "teacher": "$@teacher_def.to(@device)",
        "train#trainer#prepare_batch": batch,
        "train#trainer#loss_function": loss,
        **_fast_logits(),
    }


def _defense_gan(preset: Preset, seed: int) -> Training:
    """A WGAN-GP on the clean slices. Its last weights count; the search for codes of some clean slices tests them."""
    epochs = preset.epochs["reformer"][_GAN]
    adam = {"_target_": "torch.optim.Adam", "lr": "@learning_rate", "betas": [0.0, 0.9]}
    loss = "monai_advdefense.defences.wasserstein"
    trainer = {
        "_target_": "monai.engines.GanTrainer",
        "max_epochs": "@epochs",
        "device": "@device",
        "train_data_loader": "@train#dataloader",
        "g_network": "$@network.generator",
        "g_optimizer": "@optimizer",
        "g_loss_function": {"_target_": f"{loss}_generator_loss", "_mode_": "callable", "critic": "@critic"},
        "d_network": "@critic",
        "d_optimizer": "@critic_optimizer",
        "d_loss_function": {"_target_": f"{loss}_critic_loss", "_mode_": "callable", "critic": "@critic"},
        "d_prepare_batch": "$lambda batch, device, *_, **__: batch['image'].to(device)",
        "d_train_steps": 3,
        "latent_shape": "$@network.latent_size",
        "train_handlers": "@train#handlers",
    }
    overrides = {
        **common_overrides(preset, seed, epochs),
        **clean_images_of_the_data_set(),
        "train_size": [preset.side, preset.side],
        "noise_std": 0.0,
        "batch_size": 16,
        "train#dataset#every": 1,
        "validate#dataset#every": 10,
        "val_interval": epochs,
        "network_def": {"_target_": "monai_advdefense.defences.DefenseGAN", **preset.gan["network"]},
        "critic_def": preset.gan["critic"],
        "critic": "$@critic_def.to(@device)",
        "learning_rate": 5e-4,
        "optimizer": {**adam, "params": "$@network.parameters()"},
        "critic_optimizer": {**adam, "params": "$@critic.parameters()"},
        "loss_name": "g_loss",
        "resumed_objects#critic": "@critic",
        "resumed_objects#critic_optimizer": "@critic_optimizer",
        "train#trainer": trainer,
    }
    return Training("reformer", _GAN, _GAN, "brain_mri_reformer", overrides, cost=GAN_COST * preset.every)
