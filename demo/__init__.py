"""The main job on a sample brain, as a program: ``python -m demo --output_dir demo``."""

from demo.comparison import Row, tissue_dice, tissue_of_classes

__all__ = ["Row", "tissue_dice", "tissue_of_classes"]
