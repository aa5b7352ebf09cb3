"""Configurations of ``brain_mri_detector``."""

from __future__ import annotations

from bundle_configs.autoencoder import CLEAN_IMAGES, NILEARN, calibrate_network, paths, validation_error
from bundle_configs.components import Entries, component, handler, own, references, same
from bundle_configs.entries import RESULTS
from bundle_configs.evaluation import evaluate_slices
from bundle_configs.inference import END_RUN, inference, load_weights
from bundle_configs.metadata import GUARD_LIMITS, MALC, TEMPLATE, USE, metadata, tensor
from bundle_configs.networks import DETECTOR
from bundle_configs.training import METRICS, RUN_VALIDATION, Training, rates

__all__ = ["configs"]


def configs() -> dict[str, Entries]:
    """All configurations by name."""
    training = Training(
        settings={**paths(), **rates(epochs=10)},
        network_def=DETECTOR,
        loss=own("losses.ResidualLoss"),
        data=CLEAN_IMAGES,
        **validation_error(
            "$lambda output: ([item['pred'] for item in output], [torch.zeros_like(item['pred']) for item in output])"
        ),
        imports=(METRICS,),
    )
    return {
        "train": training.config(),
        "multi_gpu_train": training.multi_gpu(),
        "calibrate": _calibrate(),
        "evaluate": _evaluate(),
        "inference": _inference(),
        "metadata": _metadata(),
    }


def _calibrate() -> Entries:
    return {
        "false_positive_rate": 0.05,
        "validate#dataset#data": CLEAN_IMAGES.format(split="calibration"),
        "validate#dataset#every": 1,
        "calibrate_threshold": calibrate_network("CalibrateThreshold"),
        "validate#handlers": [load_weights(), *references(["print_metrics", "calibrate_threshold"])],
        **RUN_VALIDATION,
    }


def _evaluate() -> Entries:
    accepted = component(
        "ignite.metrics.Accuracy", output_transform="$lambda output: metrics.detector_decisions(output, @network)"
    )
    return {
        **evaluate_slices(load_weights(require_calibrated=True)),
        "validate#evaluator#additional_metrics": {"val_accepted": accepted},
    }


def _inference() -> Entries:
    write_scores = handler("ScoreTableWriter", **RESULTS, **same("network", "slice_dim"))
    return inference(
        DETECTOR,
        handlers={"load_weights": load_weights(require_calibrated=True), "write_scores": write_scores, **END_RUN},
    )


def _metadata() -> Entries:
    texts = {
        "name": "Detector of adversarial slices in brain MRI",
        "task": "Detection of adversarially perturbed slices in skull-stripped T1 MRI",
        "description": "An autoencoder of the centered log-magnitude spectrum of clean coronal slices. The 2-norm of "
        "what it cannot reconstruct is a slice's score; a slice above the calibrated threshold is rejected.",
        "data_source": MALC + TEMPLATE,
        "pred_classes": "one channel: spectrum less its reconstruction; its 2-norm is the score of the slice",
        "eval_metrics": {"roc_auc_dag_type_a": 0.996, "roc_auc_dag_type_b": 0.997, "roc_auc_dag_type_c": 0.881},
        "intended_use": f"{USE}Scores slices before they reach a segmentation network.{GUARD_LIMITS}",
    }
    return metadata(
        texts,
        changes="channels-last layout; broken training files are refused by name",
        packages=NILEARN,
        references=["Park", "Meng", "Xie", "Ronneberger", "Landman", "Marcus"],
        outputs=tensor("residual of the log-magnitude spectrum", 2 * ["16*n"], [], ["residual"]),
    )
