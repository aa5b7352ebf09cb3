"""The main job on generated brains, as a program: ``python -m demo --output_dir demo``."""
