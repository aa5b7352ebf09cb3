"""The verbs of the command ``advdefense``: one file each, with its options and its Python function.

Nothing heavy is imported here: ``advdefense --help`` must answer at once.
"""
