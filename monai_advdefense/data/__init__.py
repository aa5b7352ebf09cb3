"""Data lists, datasets and input checks.

The generator of sample brains is the module :mod:`monai_advdefense.data.template_sample`.
"""

from monai_advdefense.data.checks.slice_size import check_slice_size
from monai_advdefense.data.checks.volume_file import check_volume_file
from monai_advdefense.data.folder import volume_datalist
from monai_advdefense.data.load_volume import load_volume, load_volumes
from monai_advdefense.data.malc2012 import malc2012_classes, malc2012_datalist, malc2012_source_labels
from monai_advdefense.data.phantom import brain_phantom, write_phantom_dataset
from monai_advdefense.data.slice_dataset import SliceDataset
from monai_advdefense.data.template_datalist import template_datalist
from monai_advdefense.data.volume_dataset import VolumeDataset

__all__ = [
    "SliceDataset",
    "VolumeDataset",
    "brain_phantom",
    "check_slice_size",
    "check_volume_file",
    "load_volume",
    "load_volumes",
    "malc2012_classes",
    "malc2012_datalist",
    "malc2012_source_labels",
    "template_datalist",
    "volume_datalist",
    "write_phantom_dataset",
]
