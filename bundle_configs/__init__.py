"""What the bundles' configurations share, and the program that writes them all.

MONAI cannot compose configurations across bundles, and each bundle is downloaded alone: every one of its JSON files is
written whole. ``python -m bundle_configs`` writes them after a change here.
"""
