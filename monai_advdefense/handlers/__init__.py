"""Ignite handlers."""

from monai_advdefense.handlers.best_weights import BestWeights, save_weights
from monai_advdefense.handlers.epoch_seed import EpochSeed
from monai_advdefense.handlers.resume import Resume
from monai_advdefense.handlers.training_progress import TrainingProgress

__all__ = ["BestWeights", "EpochSeed", "Resume", "TrainingProgress", "save_weights"]
