"""What a run did, and where its results lie."""

from monai_advdefense.runs.group_report import GroupReport
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog

__all__ = ["GroupReport", "Outputs", "RunLog"]
