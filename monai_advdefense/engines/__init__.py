"""What engines prepare their batches with."""

from monai_advdefense.engines.reformed_batch import ReformedBatch

__all__ = ["ReformedBatch"]
