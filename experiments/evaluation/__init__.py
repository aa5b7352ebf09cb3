"""The networks of the bundles on the test split: tables and a page.

The command is ``python -m experiments.evaluation``.
"""
