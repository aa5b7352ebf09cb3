"""Configurations of ``brain_mri_reformer``."""

from __future__ import annotations

from bundle_configs.autoencoder import CLEAN_IMAGES, NILEARN, paths, rates, validation_error
from bundle_configs.entries import Entries
from bundle_configs.evaluation import evaluate_slices
from bundle_configs.inference import END_RUN, inference, invert, load_weights, write_volume
from bundle_configs.metadata import GUARD_LIMITS, MALC, TEMPLATE, USE, magnitude, metadata
from bundle_configs.networks import REFORMER
from bundle_configs.training import Training

__all__ = ["configs"]

# A noisy slice in [0, 1], and the clean one as its label.
_NOISE = {
    "center_crop": {"_target_": "CenterSpatialCropd", "keys": "image", "roi_size": "@train_size"},
    "copy_clean": {"_target_": "CopyItemsd", "keys": "image", "names": "label"},
    "add_noise": {"_target_": "RandGaussianNoised", "keys": "image", "prob": 1.0, "std": "@noise_std"},
    "clip_below": {"_target_": "ThresholdIntensityd", "keys": "image", "threshold": 0.0, "above": True, "cval": 0.0},
    "clip_above": {"_target_": "ThresholdIntensityd", "keys": "image", "threshold": 1.0, "above": False, "cval": 1.0},
}


def configs() -> dict[str, Entries]:
    """All configurations by name."""
    training = Training(
        settings={**paths(), **rates(epochs=8), "train_size": [144, 144], "noise_std": 0.1},
        network_def=REFORMER,
        loss={"_target_": "torch.nn.MSELoss"},
        data=CLEAN_IMAGES,
        augmentation=_NOISE,
        augment_validation=True,
        **validation_error("$monai.handlers.from_engine(['pred', 'label'])"),
    )
    return {
        "train": training.config(),
        "multi_gpu_train": training.multi_gpu(),
        "evaluate": evaluate_slices(load_weights()),
        "inference": inference(
            REFORMER,
            postprocessing={"invert": invert("pred", nearest=False)},
            handlers={
                "load_weights": load_weights(),
                "write_reformed": write_volume(postfix="reformed", dtype="float32"),
                **END_RUN,
            },
        ),
        "metadata": _metadata(),
    }


def _metadata() -> Entries:
    texts = {
        "name": "Reformer of slices in brain MRI",
        "task": "Removal of small perturbations from slices of skull-stripped T1 MRI",
        "description": "An autoencoder that was trained to remove Gaussian noise from clean coronal slices, so that it "
        "moves a slightly perturbed slice back towards clean ones.",
        "data_source": MALC + TEMPLATE,
        "pred_classes": "one channel: the reformed slice, in [0, 1]",
        "intended_use": f"{USE}Weakens perturbations that a detector lets pass. It smooths fine detail of clean images "
        f"too, so its output is for networks, not for readers.{GUARD_LIMITS}",
    }
    return metadata(
        texts,
        changes="channels-last layout; broken training files are refused by name",
        packages=NILEARN,
        references=["Park", "Meng", "Xie", "Ronneberger", "Landman", "Marcus"],
        outputs=magnitude(16, "reformed T1"),
    )
