"""The figures of the project, resumable.

The commands are ``python -m experiments.evaluation``, the guard of the bundles on the test split, and
``python -m experiments.paper``, the experiments of Park et al. 2020.
"""
