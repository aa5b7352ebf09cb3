"""Configurations of ``brain_mri_reformer``."""

from __future__ import annotations

from typing import Any

from bundle_configs.autoencoder import CLEAN_IMAGES, NILEARN, paths, validation_error
from bundle_configs.components import Entries, component, own
from bundle_configs.entries import WEIGHTS
from bundle_configs.evaluation import evaluate_slices
from bundle_configs.inference import END_RUN, inference, invert, load_weights, write_volume
from bundle_configs.metadata import GUARD_LIMITS, MALC, TEMPLATE, USE, magnitude, metadata
from bundle_configs.networks import REFORMER, SEGMENTER
from bundle_configs.segmentation import NUM_CLASSES, SEGMENTATION_TRAINING
from bundle_configs.training import TRAIN_SIZE, TRAINING_ATTACK, Training, branch, changes, rates

__all__ = ["configs"]

# A noisy slice in [0, 1], and the clean one as its label.
_NOISE = {
    "center_crop": component("CenterSpatialCropd", keys="image", roi_size="@train_size"),
    "copy_clean": component("CopyItemsd", keys="image", names="label"),
    "add_noise": component("RandGaussianNoised", keys="image", prob=1.0, std="@noise_std"),
    "clip_below": component("ThresholdIntensityd", keys="image", threshold=0.0, above=True, cval=0.0),
    "clip_above": component("ThresholdIntensityd", keys="image", threshold=1.0, above=False, cval=1.0),
}


def configs() -> dict[str, Entries]:
    """All configurations by name."""
    training = Training(
        settings={**paths(), **rates(epochs=8), **TRAIN_SIZE, "noise_std": 0.1},
        network_def=REFORMER,
        loss=component("torch.nn.MSELoss"),
        data=CLEAN_IMAGES,
        augmentation=_NOISE,
        augment_validation=True,
        **validation_error("$monai.handlers.from_engine(['pred', 'label'])"),
    )
    base = training.config()
    return {
        "train": base,
        "denoise": _through_segmenter(base, "denoiser", _NOISE_IN_BRAIN, noise_std=0.25),
        "adversarial": _through_segmenter(base, "adversarial", {}, **_ATTACKS),
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


# The target of a loss through the segmenter: the clean image, and the label.
_TARGET = {
    "copy_clean": component("CopyItemsd", keys="image", names="clean"),
    "join_target": component("ConcatItemsd", keys=["clean", "label"], name="label"),
}
_NOISE_IN_BRAIN = {
    "add_noise": _NOISE["add_noise"],
    "mask_noise": component("MaskIntensityd", keys="image", mask_key="clean"),
}
_ATTACKS = {
    "norms": [0.22, 0.44, 0.9, 1.46, 2.5],
    "low_frequency_norms": [0.9, 1.8, 3.5, 7.0],
    "attack_steps": 2,
}
_ATTACKED = own("engines.AttackedReformerBatch", reformer="@network", segmenter="@segmenter", attack=TRAINING_ATTACK)


def _through_segmenter(base: Entries, name: str, spoiling: Entries, **settings: Any) -> Entries:
    """Over train.json: go on with the shipped weights, so that the segmenter behind is right on spoilt images."""
    shared = {key: SEGMENTATION_TRAINING["augmentation"][key] for key in ("random_affine", "center_crop")}
    attacked = "norms" in settings
    training = Training(
        settings={
            **rates(epochs=40, learning_rate=0.0005),
            "start_path": WEIGHTS,
            **branch(name),
            "segmenter_path": "$os.path.join(@bundle_root, '..', 'brain_mri_segmentation', 'models', 'model.pt')",
            **NUM_CLASSES,
            **settings,
        },
        network_def=REFORMER,
        data=SEGMENTATION_TRAINING["data"],
        label=True,
        loss=own("losses.ThroughSegmenterLoss", segmenter="@segmenter"),
        augmentation={**shared, **_TARGET, **spoiling},
        augment_validation=True,
        networks={"segmenter_def": SEGMENTER, "segmenter": "$@segmenter_def.to(@device)"}
        | ({"attacked_batch": _ATTACKED} if attacked else {}),
        batches={"prepare_batch": "@attacked_batch"} if attacked else {},
        start=(load_weights("@start_path"), {**load_weights("@segmenter_path"), "network": "@segmenter"}),
        metric={"val_loss": component("ignite.metrics.Loss", loss_fn="@loss", output_transform=_STACKED)},
        best={"metric": "val_loss", "best": "min"},
        evaluator={"metric_cmp_fn": "$lambda current, best: current < best"},
    )
    return changes(base, training.config())


_STACKED = "$lambda output: tuple(torch.stack([case[key] for case in output]) for key in ('pred', 'label'))"


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
