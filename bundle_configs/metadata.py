"""metadata.json: what a bundle is, takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bundle_configs.components import Entries
from monai_advdefense import __version__

__all__ = [
    "GUARD_LIMITS",
    "LABEL_CLASSES",
    "MALC",
    "STRUCTURES",
    "TEMPLATE",
    "labels",
    "magnitude",
    "metadata",
    "tensor",
]

_PAIRS = (
    "cerebral white matter",
    "cerebral cortex",
    "lateral ventricle",
    "cerebellar white matter",
    "thalamus",
    "caudate",
    "putamen",
    "pallidum",
    "hippocampus",
    "amygdala",
    "ventral diencephalon",
)
STRUCTURES = (
    "background",
    *(f"{side} {name}" for name in _PAIRS for side in ("left", "right")),
    *("cerebellar cortex and vermis", "third ventricle", "fourth ventricle", "brain stem", "accumbens area"),
)
LABEL_CLASSES = {
    "label_classes": "one channel, classes 0 to 27: background and 27 structures, merged from the Neuromorphometrics "
    "labels"
}
MALC = (
    "MICCAI 2012 Grand Challenge and Workshop on Multi-Atlas Labeling: T1 volumes of OASIS, labels provided by "
    "Neuromorphometrics, Inc. (http://Neuromorphometrics.com/) under academic subscription"
)
TEMPLATE = "; and subject-like brains drawn from the MNI152 template"
GUARD_LIMITS = (
    " It is no protection against an attacker who knows the guard and optimizes against it, nor a check of image "
    "quality, and it says nothing about volumes that are no skull-stripped T1 brains except that most of their slices "
    "should be rejected."
)
USE = "Research on the robustness of segmentation; not for diagnosis and not cleared by any regulatory agency. "
_REFERENCES = {
    "Park": "Park, H., Bayat, A., Sabokrou, M., Kirschke, J. S., Menze, B. H.: Robustification of Segmentation Models "
    "Against Adversarial Perturbations In Medical Imaging. Predictive Intelligence in Medicine (PRIME), MICCAI "
    "workshop, 2020",
    "Meng": "Meng, D., Chen, H.: MagNet: a Two-Pronged Defense against Adversarial Examples. ACM CCS, 2017. "
    "https://arxiv.org/abs/1705.09064",
    "Xie": "Xie, C., Wang, J., Zhang, Z., Zhou, Y., Xie, L., Yuille, A.: Adversarial Examples for Semantic "
    "Segmentation and Object Detection. ICCV, 2017. https://arxiv.org/abs/1703.08603",
    "Ronneberger": "Ronneberger, O., Fischer, P., Brox, T.: U-Net: Convolutional Networks for Biomedical Image "
    "Segmentation. MICCAI, 2015. https://arxiv.org/abs/1505.04597",
    "Badrinarayanan": "Badrinarayanan, V., Kendall, A., Cipolla, R.: SegNet: A Deep Convolutional Encoder-Decoder "
    "Architecture for Image Segmentation. IEEE TPAMI 39(12), 2017. https://arxiv.org/abs/1511.00561",
    "Jegou": "Jegou, S., Drozdzal, M., Vazquez, D., Romero, A., Bengio, Y.: The One Hundred Layers Tiramisu: Fully "
    "Convolutional DenseNets for Semantic Segmentation. CVPR workshops, 2017. https://arxiv.org/abs/1611.09326",
    "Roy": "Roy, A. G., Conjeti, S., Sheet, D., Katouzian, A., Navab, N., Wachinger, C.: Error Corrective Boosting for "
    "Learning Fully Convolutional Networks with Limited Data. MICCAI, 2017. https://arxiv.org/abs/1705.00938",
    "Landman": "Landman, B., Warfield, S. (eds.): MICCAI 2012 Workshop on Multi-Atlas Labeling, 2012",
    "Marcus": "Marcus, D. S., Wang, T. H., Parker, J., Csernansky, J. G., Morris, J. C., Buckner, R. L.: Open Access "
    "Series of Imaging Studies (OASIS): Cross-Sectional MRI Data in Young, Middle Aged, Nondemented, and Demented "
    "Older Adults. Journal of Cognitive Neuroscience 19(9), 2007",
}


def metadata(
    texts: Entries,
    *,
    changes: str,
    references: Sequence[str],
    outputs: Entries,
    post_processed_outputs: Entries | None = None,
    packages: Entries | None = None,
    multiple: int = 16,
) -> Entries:
    """The metadata.

    Args:
        texts: entries of this bundle alone.
        changes: entry of the changelog for this version.
        references: authors of the cited papers.
        outputs: the network's output.
        post_processed_outputs: the output after postprocessing, if that says more.
        packages: required packages beside those of every bundle.
        multiple: sides of the network's slices are multiples of it.
    """
    image = magnitude(multiple, "T1")
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
        "meta_schema_20240725.json",
        "version": __version__,
        "changelog": {__version__: changes, "0.1.0": "first version"},
        "monai_version": "1.6.1",
        "pytorch_version": "2.13.0",
        "numpy_version": "2.4.6",
        "required_packages_version": {
            "monai_advdefense": __version__,
            "fire": "0.7.1",
            "nibabel": "5.4.2",
            "pytorch-ignite": "0.5.5",
            "tensorboard": "2.21.0",
            **(packages or {}),
        },
        **texts,
        "authors": "The monai_advdefense contributors",
        "copyright": "Copyright (c) the monai_advdefense contributors. Code and configurations: Apache License 2.0. "
        "Weights: CC BY-NC 4.0, because of the training data",
        "data_type": "nibabel",
        "image_classes": "coronal slice of a skull-stripped T1 volume at 1 mm, intensities from 0 to the 99.5th "
        "percentile scaled to [0, 1], padded to 192 x 192",
        "references": [_REFERENCES[author] for author in references],
        "supported_apps": {},
        "network_data_format": {
            "inputs": {"image": image},
            "outputs": {"pred": outputs},
            **({"post_processed_outputs": {"pred": post_processed_outputs}} if post_processed_outputs else {}),
        },
    }


def tensor(
    kind: str, sides: Sequence[str], value_range: Sequence[int], channels: Sequence[str], **more: Any
) -> Entries:
    """Description of a tensor with these channels."""
    return {
        "type": "image",
        "format": kind,
        **more,
        "num_channels": len(channels),
        "spatial_shape": list(sides),
        "dtype": "float32",
        "value_range": list(value_range),
        "is_patch_data": False,
        "channel_def": {str(number): channel for number, channel in enumerate(channels)},
    }


def magnitude(multiple: int, channel: str) -> Entries:
    """Description of slices in [0, 1]."""
    return tensor("magnitude", 2 * [f"{multiple}*n"], [0, 1], [channel], modality="MR")


def labels(classes: Sequence[str]) -> Entries:
    """Description of a volume of classes, one channel."""
    volume = tensor("labels", 3 * ["*"], [0, len(classes) - 1], classes)
    return {**volume, "num_channels": 1}
