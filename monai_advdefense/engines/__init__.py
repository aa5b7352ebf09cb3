"""What engines prepare their batches with."""

from monai_advdefense.engines.attacked_reformer_batch import AttackedReformerBatch
from monai_advdefense.engines.reformed_batch import ReformedBatch

__all__ = ["AttackedReformerBatch", "ReformedBatch"]
