"""Defences from the literature that change the target network or its input: baselines beside the guard."""

from monai_advdefense.defences.adversarial_training import AdversarialBatch
from monai_advdefense.defences.defense_gan import (
    DefenseGAN,
    project,
    wasserstein_critic_loss,
    wasserstein_generator_loss,
)
from monai_advdefense.defences.distillation import DistillationBatch, TemperedLoss, distillation_loss
from monai_advdefense.defences.training_attack import TrainingAttack

__all__ = [
    "AdversarialBatch",
    "DefenseGAN",
    "DistillationBatch",
    "TemperedLoss",
    "TrainingAttack",
    "distillation_loss",
    "project",
    "wasserstein_critic_loss",
    "wasserstein_generator_loss",
]
