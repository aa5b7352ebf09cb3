"""Ignite handlers."""

from monai_advdefense.handlers.attack_writer import AttackWriter
from monai_advdefense.handlers.best_weights import BestWeights
from monai_advdefense.handlers.calibrate_combination import CalibrateCombination
from monai_advdefense.handlers.calibrate_screen import CalibrateScreen
from monai_advdefense.handlers.calibrate_threshold import CalibrateThreshold
from monai_advdefense.handlers.concise_stats_handler import ConciseStatsHandler
from monai_advdefense.handlers.end_run import EndRun
from monai_advdefense.handlers.epoch_seed import EpochSeed
from monai_advdefense.handlers.mark_done import MarkDone
from monai_advdefense.handlers.release_memory import ReleaseMemory
from monai_advdefense.handlers.report_writer import ReportWriter
from monai_advdefense.handlers.resume import Resume
from monai_advdefense.handlers.score_recorder import ScoreRecorder
from monai_advdefense.handlers.score_table_writer import ScoreTableWriter
from monai_advdefense.handlers.strict_checkpoint_loader import StrictCheckpointLoader
from monai_advdefense.handlers.sync_buffers import SyncBuffers
from monai_advdefense.handlers.training_progress import TrainingProgress
from monai_advdefense.handlers.volume_progress import VolumeProgress
from monai_advdefense.handlers.volume_writer import VolumeWriter, write_like

__all__ = [
    "AttackWriter",
    "BestWeights",
    "CalibrateCombination",
    "CalibrateScreen",
    "CalibrateThreshold",
    "ConciseStatsHandler",
    "EpochSeed",
    "EndRun",
    "MarkDone",
    "ReleaseMemory",
    "ReportWriter",
    "Resume",
    "ScoreRecorder",
    "ScoreTableWriter",
    "StrictCheckpointLoader",
    "SyncBuffers",
    "TrainingProgress",
    "VolumeProgress",
    "VolumeWriter",
    "write_like",
]
