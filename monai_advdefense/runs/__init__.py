"""What a run did, and where its results lie."""

from monai_advdefense.runs.group_report import GroupReport
from monai_advdefense.runs.manifest import Manifest
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog
from monai_advdefense.runs.shard import Shard
from monai_advdefense.runs.stop_rule import StopRule

__all__ = ["GroupReport", "Manifest", "Outputs", "RunLog", "Shard", "StopRule"]
