"""Configurations of ``brain_mri_segmentation``: the target network of the attacks, and two others."""

from __future__ import annotations

from dataclasses import replace

from bundle_configs.components import Entries, component, own
from bundle_configs.entries import WEIGHTS
from bundle_configs.evaluation import evaluate_volumes
from bundle_configs.inference import END_RUN, inference, invert, load_weights, write_volume
from bundle_configs.metadata import LABEL_CLASSES, MALC, STRUCTURES, USE, labels, metadata, tensor
from bundle_configs.networks import SEGMENTER
from bundle_configs.training import TRAIN_SIZE, TRAINING_ATTACK, Training, branch, changes, rates

__all__ = ["NUM_CLASSES", "SEGMENTATION_TRAINING", "configs"]

NUM_CLASSES = {"num_classes": len(STRUCTURES)}
_KEYS = ["image", "label"]
# What the training of a segmenter is, with or without a guard.
SEGMENTATION_TRAINING: Entries = {
    "data": "$data.malc2012_datalist(@dataset_dir, '{split}')",
    "label": True,
    "loss": own("losses.WeightedLogisticDiceLoss", frequencies="$@train#dataset.class_counts(@num_classes)"),
    "augmentation": {
        "random_affine": component(
            "RandAffined",
            keys=_KEYS,
            prob=0.5,
            rotate_range=0.15,
            scale_range=[0.1, 0.1],
            translate_range=6,
            mode=["bilinear", "nearest"],
            padding_mode="zeros",
        ),
        "random_contrast": component("RandAdjustContrastd", keys="image", prob=0.3, gamma=[0.7, 1.4]),
        "random_noise": component("RandGaussianNoised", keys="image", prob=0.2, std=0.03),
        "center_crop": component("CenterSpatialCropd", keys=_KEYS, roi_size="@train_size"),
    },
    "postprocessing": {
        "discretize": component("AsDiscreted", keys=["pred", "label"], argmax=[True, False], to_onehot="@num_classes")
    },
    "metric": {
        "val_mean_dice": component(
            "MeanDice", include_background=False, output_transform="$monai.handlers.from_engine(['pred', 'label'])"
        )
    },
}


def configs() -> dict[str, Entries]:
    """All configurations by name."""
    training = _training()
    pairs = "$monai.handlers.from_engine(['pred', 'label'])"
    return {
        "train": (base := training.config()),
        "adversarial": _adversarial(base),
        "multi_gpu_train": training.multi_gpu(),
        "evaluate": evaluate_volumes(load_weights(), pairs),
        "inference": _inference(),
        "segnet": _other("segnet", 16, {"features": [16, 32, 64, 128, 128]}, _SEGNET),
        "densenet": _other("densenet", 8, {}, _DENSENET),
        "metadata": _metadata(),
    }


def _training() -> Training:
    settings = {
        "dataset_dir": "data/malc2012",
        "ckpt_path": WEIGHTS,
        "run_dir": "$os.path.join(@bundle_root, 'runs', 'unet')",
        **rates(epochs=30, val_interval=2, every=2),
        **TRAIN_SIZE,
        **NUM_CLASSES,
    }
    best = {"metric": "val_mean_dice"}
    return Training(settings=settings, network_def=SEGMENTER, best=best, **SEGMENTATION_TRAINING)


def _adversarial(base: Entries) -> Entries:
    """Over train.json: go on with the shipped weights, on images attacked against the network as it is then."""
    training = _training()
    settings = {
        **training.settings,
        "epochs": 16,
        "start_path": WEIGHTS,
        **branch("adversarial"),
        # Clean slices among them keep what the network knew; the strongest norm is that of the paper's attack.
        "norms": [0.0, 0.44, 0.9, 1.46, 2.5, 4.37],
        "low_frequency_norms": [0.9, 1.8, 4.4],
        "attack_steps": 1,
    }
    batch = own("defences.AdversarialBatch", network="@network", attack=TRAINING_ATTACK)
    attacked = replace(
        training,
        settings=settings,
        networks={"attacked_batch": batch},
        batches={"prepare_batch": "@attacked_batch"},
        start=(load_weights("@start_path"),),
    )
    return changes(base, attacked.config())


def _inference() -> Entries:
    return inference(
        SEGMENTER,
        settings=NUM_CLASSES,
        postprocessing={
            "discretize": component("AsDiscreted", keys="pred", argmax=True),
            "invert": invert("pred", nearest=True),
        },
        handlers={"load_weights": load_weights(), "write_segmentation": write_volume(), **END_RUN},
    )


_SLICES = {"spatial_dims": 2, "in_channels": 1, "out_channels": "@num_classes"}
_SEGNET = own("networks.SegNet", **_SLICES, features="@features")
_DENSENET = own(
    "networks.FCDenseNet",
    **_SLICES,
    down_blocks=[4, 4, 4, 4, 4],
    bottleneck_layers=4,
    growth_rate=6,
    init_features=24,
    dropout=0.0,
)


def _other(name: str, epochs: int, features: Entries, network_def: Entries) -> Entries:
    """Another architecture, over train.json or inference.json."""
    return {
        "run_dir": f"$os.path.join(@bundle_root, 'runs', '{name}')",
        "ckpt_path": f"$os.path.join(@bundle_root, 'models', '{name}', 'model.pt')",
        "epochs": epochs,
        "train_size": [160, 160],
        **features,
        "network_def": network_def,
    }


def _metadata() -> Entries:
    texts = {
        "name": "Segmentation of 27 structures in brain MRI",
        "task": "Segmentation of 27 brain structures in skull-stripped T1 MRI, slice by slice",
        "description": "A 2-D U-Net for coronal slices, with SegNet and FC-DenseNet as alternatives: the target "
        "networks on which the guard of monai_advdefense is studied. Narrower than those of the paper, so that they "
        "train without a GPU.",
        "data_source": MALC,
        **LABEL_CLASSES,
        "pred_classes": "28 channels of logits: background and 27 structures, see channel_def",
        "eval_metrics": {"mean_dice": 0.843},
        "intended_use": f"{USE}A target network for attacks and defenses; on its own it has no defense at all.",
    }
    return metadata(
        texts,
        changes="SegNet trained for 16 epochs, FC-DenseNet56 has weights (without dropout); weights trained against "
        "attackers (adversarial.json); channels-last layout; "
        "unknown labels and broken training files are refused by name",
        references=["Park", "Ronneberger", "Badrinarayanan", "Jegou", "Roy", "Landman", "Marcus"],
        multiple=32,
        outputs=tensor("segmentation", 2 * ["32*n"], [], STRUCTURES),
        post_processed_outputs=labels(STRUCTURES),
    )
