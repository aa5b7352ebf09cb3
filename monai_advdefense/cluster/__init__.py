"""Runs over many volumes by workers of a cluster."""

from monai_advdefense.cluster.ray_engine import run_on_ray
from monai_advdefense.cluster.work_queue import WorkQueue

__all__ = ["WorkQueue", "run_on_ray"]
