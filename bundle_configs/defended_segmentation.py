"""Configurations of ``brain_mri_defended_segmentation``: detector, reformer and segmenter in one."""

from __future__ import annotations

from bundle_configs.autoencoder import CLEAN_IMAGES, calibrate_network
from bundle_configs.components import Entries, component, compose, handler, loader, own, references, same
from bundle_configs.entries import CHECK_OVERRIDES, IMPORTS, RESULTS, WEIGHTS
from bundle_configs.evaluation import evaluate_volumes
from bundle_configs.foreign_guard import guard, guard_calibrate
from bundle_configs.inference import END_RUN, PROGRESS, inference, invert, load_weights, slice_inferer, write_volume
from bundle_configs.metadata import GUARD_LIMITS, LABEL_CLASSES, MALC, STRUCTURES, USE, labels, metadata, tensor
from bundle_configs.networks import DEFENDED_SEGMENTER
from bundle_configs.segmentation import NUM_CLASSES, SEGMENTATION_TRAINING
from bundle_configs.training import DATA, METRICS, TRAIN_SIZE, Training, rates
from monai_advdefense.bundle_tools.write_guarded_bundle import guard_entry

__all__ = ["configs"]

_REJECTED = (*STRUCTURES, "rejected")


def configs() -> dict[str, Entries]:
    """All configurations by name."""
    training = _training()
    return {
        "train": training.config(),
        "multi_gpu_train": training.multi_gpu(),
        "evaluate": _evaluate(),
        "inference": _inference(),
        "multi_gpu_inference": _MULTI_GPU_INFERENCE,
        "calibrate": _calibrate(),
        "calibrate_combined": _calibrate_combined(),
        "combined": _WITHOUT_SCREEN,
        "spectral": {"network_def#decision#_target_": "monai_advdefense.guard.SpectralDecision", **_WITHOUT_SCREEN},
        "attack": _attack(),
        "adversarial": _ADVERSARIAL,
        "certified": _certified(),
        "guard": guard(),
        "guard_calibrate": guard_calibrate(),
        "guard_spectral": _GUARD,
        "metadata": _metadata(),
    }


def _training() -> Training:
    settings = {
        "dataset_dir": "data/malc2012",
        "guard_path": WEIGHTS,
        "ckpt_path": "$os.path.join(@run_dir, 'model.pt')",
        "run_dir": "$os.path.join(@bundle_root, 'runs', 'finetune')",
        **rates(epochs=5, learning_rate=0.0001, every=2),
        **TRAIN_SIZE,
        **NUM_CLASSES,
    }
    reformed = own("engines.ReformedBatch", reformer="$@network.reformer")
    return Training(
        settings=settings,
        network_def=DEFENDED_SEGMENTER,
        trained="segmenter",
        networks={"segmenter": "$@network.segmenter", "reformed_batch": reformed},
        batches={"prepare_batch": "@reformed_batch"},
        start=(load_weights("@guard_path"),),
        best={"metric": "val_mean_dice", "calibrated": "$@network.decision"},
        imports=(METRICS,),
        **SEGMENTATION_TRAINING,
    )


def _evaluate() -> Entries:
    coverage = component(
        "ignite.metrics.Accuracy",
        output_transform="$lambda output: metrics.accepted_slices(output, @num_classes, slice_dim=@slice_dim)",
    )
    load = load_weights("@guard_path", require_calibrated=True)
    return {
        **evaluate_volumes(load, "$lambda output: metrics.accepted_pairs(output, @num_classes)"),
        "validate#evaluator#network": "@network",
        "validate#evaluator#prepare_batch": component("monai.engines.PrepareBatchDefault"),
        "validate#evaluator#additional_metrics": {"val_coverage": coverage},
    }


def _inference() -> Entries:
    return inference(
        DEFENDED_SEGMENTER,
        settings={
            **NUM_CLASSES,
            "report_metadata": "$os.path.join(@bundle_root, 'configs', 'metadata.json')",
            "weights_license": "CC BY-NC 4.0",
            "group_report": own("runs.GroupReport", **RESULTS),
            "screen_path": "$os.path.join(@bundle_root, 'models', 'screen', 'model.pt')",
            "fail_on_alarm": False,
            "stop_rule": own("runs.StopRule", weights="@screen_path", fail="@fail_on_alarm"),
        },
        networks=_SCREEN,
        weights=("screen_path",),
        inferer=_SCREENED_INFERER,
        postprocessing={"invert_labels": _INVERT_LABELS, "slice_decisions": _SLICE_DECISIONS},
        handlers={
            "load_weights": load_weights(require_calibrated=True),
            "scores": handler("ScoreRecorder", **same("network", "screen")),
            "write_segmentation": write_volume(),
            "write_report": handler(
                "ReportWriter",
                **RESULTS,
                **same("network", "scores"),
                segmentation="@write_segmentation",
                metadata="@report_metadata",
                weights="@ckpt_path",
                screen_weights="@screen_path",
                **same("weights_license", "slice_dim"),
            ),
            "release_memory": handler("ReleaseMemory"),
            **END_RUN,
            "end_run": {**END_RUN["end_run"], **same("group_report", "stop_rule")},
        },
    )


# Hosts that build inferer and postprocessing alone, such as MONAI Label, decide by the screen as well.
_SCREEN = {"screen": own("guard.load_screen", path="@screen_path", **same("num_classes", "device"))}
_SCREENED_INFERER = {**slice_inferer(4), **own("inferers.ScreenedSliceInferer", screen="@screen")}
_WITHOUT_SCREEN: Entries = {
    "screen": None,
    "inferer": {**slice_inferer(2), **own("inferers.GuardedSliceInferer")},
    "stop_rule": None,
}
# The segmenter that was trained against attackers, and the scores fitted to it.
_ADVERSARIAL = {
    "ckpt_path": "$os.path.join(@bundle_root, 'models', 'adversarial', 'model.pt')",
    "screen_path": "$os.path.join(@bundle_root, 'models', 'adversarial', 'screen', 'model.pt')",
}
_INVERT_LABELS = own("transforms.InvertLabelsd", keys="pred", transform="@preprocessing", orig_keys="image")
_SLICE_DECISIONS = own(
    "transforms.SliceDecisionsd",
    _desc_="MONAI Label puts what lies under 'result' into its JSON answer",
    keys="pred",
    rejected="@num_classes",
    slice_dim="@slice_dim",
)
_MULTI_GPU_INFERENCE = {
    "device": "$torch.device('cuda', int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()) "
    "if torch.cuda.is_available() else torch.device('cpu')",
    "initialize": [
        CHECK_OVERRIDES,
        "$import datetime",
        "$import torch.distributed as dist",
        "$dist.is_initialized() or dist.init_process_group(backend='gloo', timeout=datetime.timedelta(days=30))",
    ],
    "finalize": ["$dist.is_initialized() and dist.destroy_process_group()"],
}
_GUARD = {
    "guard_dir": "bundles/brain_mri_defended_segmentation",
    "exit_code": "$import monai_advdefense.exit_code",
    "guard": guard_entry(bundle="@guard_dir"),
    "dataset#transform": "$@guard.preprocessing(@preprocessing)",
    "evaluator#postprocessing": "$@guard.postprocessing(@postprocessing)",
}


def _calibrate() -> Entries:
    """Over inference.json: the screen anew, on clean volumes."""
    return {
        "imports": [*IMPORTS, DATA],
        "dataset_dir": "data/malc2012",
        "clean_volumes": "$[case for split in ('train', 'validation', 'calibration') "
        "for case in data.malc2012_datalist(@dataset_dir, split)]",
        "false_positive_rate": 0.03,
        "volume_rate": 0.05,
        # Where labels are numbers of a data set, its classes.csv tells what they merge into.
        "source_labels": "$data.malc2012_source_labels(@dataset_dir, @num_classes) "
        "if os.path.isfile(os.path.join(@dataset_dir, 'classes.csv')) else None",
        "inferer#mark_rejected": False,
        "screen_def": own("guard.Screen", num_classes="@num_classes"),
        "screen": "$@screen_def.to(@device)",
        "calibrate_screen": handler(
            "CalibrateScreen",
            **same("run_log", "screen"),
            save_path="@screen_path",
            **same("false_positive_rate", "volume_rate", "source_labels"),
        ),
        "load_weights#require_calibrated": False,
        "handlers": references([*PROGRESS, "load_weights", "calibrate_screen", "release_memory"]),
        "dataset#data": "@clean_volumes",
        "evaluator#postprocessing": None,
    }


def _calibrate_combined() -> Entries:
    """Over inference.json: the sum of the scores anew."""
    dataset = own(
        "data.SliceDataset",
        data=CLEAN_IMAGES.format(split="calibration"),
        volume_transform="@preprocessing",
        **same("slice_size", "slice_dim"),
        keys=["image"],
    )
    return {
        "imports": [*IMPORTS, DATA],
        "dataset_dir": "data/malc2012",
        "sample_dir": "$os.path.join(@bundle_root, 'runs', 'template_samples')",
        "false_positive_rate": 0.05,
        "calibration": {"dataset": dataset, "dataloader": loader("@calibration#dataset", 16)},
        "load_weights#require_calibrated": False,
        "print_metrics": handler("ConciseStatsHandler", iteration_log=False),
        "calibrate_combination": calibrate_network("CalibrateCombination"),
        "handlers": references(["load_weights", "print_metrics", "calibrate_combination"]),
        "evaluator#val_data_loader": "@calibration#dataloader",
        "inferer": "$lambda image, network, *args, **kwargs: network.scores(image)",
        "evaluator#postprocessing": None,
    }


def _attack() -> Entries:
    """Over inference.json: attacked copies of volumes."""
    postprocessing = {
        "copy_perturbation": component("CopyItemsd", keys="pred", names="perturbation"),
        "invert_perturbation": invert("perturbation", nearest=False),
    }
    return {
        "target": "background",
        "step_size": 0.375,
        "steps": 20,
        "slices": None,
        "seed": 0,
        "attack": own(
            "transforms.DAGAttack",
            network="$@network.segmenter",
            **same("target", "step_size", "steps"),
            brain_only=True,
            **same("slice_dim", "seed"),
        ),
        "dataset#min_slices": "$@slices or 0",
        "inferer": own("inferers.AttackInferer", **same("attack", "slices")),
        **postprocessing,
        "postprocessing": compose(postprocessing),
        "write_attack": handler("AttackWriter", **RESULTS, **same("network", "preprocessing", "slice_dim")),
        "end_run#group_report": None,
        "end_run#manifest": None,
        "handlers": references([*PROGRESS, "load_weights", "write_attack", "end_run"]),
    }


def _certified() -> Entries:
    """Over inference.json: labels by the vote of noisy passes, and the radii that they prove."""
    transforms = {
        "split_certificate": component(
            "SplitDimd", keys="pred", output_postfixes=["label", "radius"], update_meta=False
        ),
        "invert_certificate": invert(["pred_label", "pred_radius"], nearest=True),
    }
    return {
        **_WITHOUT_SCREEN,
        "denoiser_path": "$os.path.join(@bundle_root, 'models', 'denoiser', 'model.pt')",
        "sigma": 0.25,
        "passes": 100,
        "alpha": 0.001,
        "inferer": own(
            "inferers.CertifiedSliceInferer",
            sigma="@sigma",
            n="@passes",
            alpha="@alpha",
            abstained="@num_classes",
            spatial_dim="@slice_dim",
        ),
        **transforms,
        "postprocessing": compose(transforms),
        "manifest#weights": ["@ckpt_path", "@denoiser_path"],
        "load_denoiser": {**load_weights("@denoiser_path"), "network": "$@network.reformer"},
        "write_segmentation": write_volume(key="pred_label"),
        "write_radius": write_volume(key="pred_radius", postfix="radius", dtype="float32"),
        "end_run#group_report": None,
        "handlers": references(
            [*PROGRESS, "load_weights", "load_denoiser", "write_segmentation", "write_radius", *END_RUN]
        ),
    }


def _metadata() -> Entries:
    texts = {
        "name": "Defended segmentation of 27 structures in brain MRI",
        "task": "Segmentation of 27 brain structures in skull-stripped T1 MRI behind a guard that rejects "
        "adversarial slices",
        "description": "Detector, reformer and segmenter in one network: slices are rejected whose spectrum the "
        "detector cannot reconstruct, or whose segmentation changes by the reformer, accepted ones are reformed and "
        "segmented. Self-contained; assembled from brain_mri_detector, brain_mri_reformer and brain_mri_segmentation.",
        "data_source": MALC,
        **LABEL_CLASSES,
        "pred_classes": "29 channels of logits: background, 27 structures and the class rejected, which holds over a "
        "whole slice or nowhere in it",
        "eval_metrics": {"mean_dice_accepted": 0.837, "coverage": 0.973},
        "intended_use": f"{USE}Segments slices that look like the clean ones of its training, marks the others as "
        f"rejected, and reports score and decision of every slice.{GUARD_LIMITS}",
    }
    return metadata(
        texts,
        changes="decides by a screen fitted on clean volumes (combined.json: by the sum of spectral and divergence "
        "score; spectral.json: by the spectral one alone; calibrate.json); segmenter trained against attackers "
        "(adversarial.json); group report (report.html, report.csv); "
        "inference by several processes (multi_gpu_inference.json); guard in front of other bundles (guard.json, "
        "guard_calibrate.json, guard_spectral.json); channels-last layout; faster inference",
        references=["Park", "Meng", "Xie", "Ronneberger", "Roy", "Landman", "Marcus"],
        outputs=tensor("segmentation", 2 * ["16*n"], [], _REJECTED),
        post_processed_outputs=labels(_REJECTED),
    )
