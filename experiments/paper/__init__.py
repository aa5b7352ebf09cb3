"""The experiments of Park et al. 2020, their tables and plots, in one resumable command.

The command is ``python -m experiments.paper``.
"""
