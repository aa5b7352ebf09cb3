"""Array and dictionary transforms."""

from monai_advdefense.transforms.merge_labels import MergeLabels, MergeLabelsD, MergeLabelsd, MergeLabelsDict

__all__ = ["MergeLabels", "MergeLabelsD", "MergeLabelsDict", "MergeLabelsd"]
