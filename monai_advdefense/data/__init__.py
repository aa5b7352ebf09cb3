"""Data lists, datasets and input checks."""

from monai_advdefense.data.malc2012 import malc2012_classes, malc2012_datalist, malc2012_source_labels
from monai_advdefense.data.slice_dataset import SliceDataset

__all__ = ["SliceDataset", "malc2012_classes", "malc2012_datalist", "malc2012_source_labels"]
