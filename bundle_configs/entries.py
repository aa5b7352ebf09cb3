"""Entries that configurations consist of."""

from __future__ import annotations

from bundle_configs.components import own, same

__all__ = [
    "BUNDLE_ROOT",
    "CHECK_OVERRIDES",
    "DEVICE",
    "EVAL_DIR",
    "IMPORTS",
    "OUTPUTS",
    "RESULTS",
    "SLICES",
    "WEIGHTS",
]

# The second makes every run of monai.bundle end with its exit code and one line, whatever is wrong.
IMPORTS = [
    "$import os",
    "$import monai_advdefense.exit_code",
    "$import monai_advdefense.quiet_readers",
    "$import monai_advdefense.bundle_tools.overrides as overrides",
]
# The first of what a run initializes: a misspelt override would change nothing and say nothing.
CHECK_OVERRIDES = "$overrides.refuse_unknown_overrides()"
BUNDLE_ROOT = {"bundle_root": "."}
DEVICE = {"device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')"}
EVAL_DIR = {"output_dir": "$os.path.join(@bundle_root, 'eval')"}
WEIGHTS = "$os.path.join(@bundle_root, 'models', 'model.pt')"
# Slices that the networks take: axis 1 of RAS is coronal.
SLICES = {"slice_dim": 1, "slice_size": [192, 192], "pixdim": [1.0, 1.0, 1.0]}
OUTPUTS = own("runs.Outputs", **same("dataset_dir", "output_dir"))
# What handlers that write are told.
RESULTS = same("outputs", "run_log")
