"""Guard medical image segmentation against adversarial and otherwise tampered inputs, in MONAI."""

__version__ = "0.2.0"
