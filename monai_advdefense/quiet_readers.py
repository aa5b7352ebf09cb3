"""Importing this keeps MONAI from telling at every start that a decoder for DICOM on GPUs is missing.

``LoadImage`` builds all readers that MONAI knows, whichever reader it is told to take, and one of them warns where
pydicom is installed and nvImageCodec is not. Nothing here decodes DICOM that way.
"""

from __future__ import annotations

import logging
import warnings

__all__: list[str] = []

logging.getLogger("monai.data.nvimgcodec_pydicom_plugin").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader", category=UserWarning)
