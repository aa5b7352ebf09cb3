"""Configurations with the entries, transforms and run ids of bundles of the model zoo, and with small networks."""

from __future__ import annotations

__all__ = ["CONFIGS"]

DEVICE = "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')"
LOAD = [{"_target_": "LoadImaged", "keys": "image"}, {"_target_": "EnsureChannelFirstd", "keys": "image"}]
ORIENTATION = {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"}
TENSOR = {"_target_": "EnsureTyped", "keys": "image"}
SOFTMAX = {"_target_": "Activationsd", "keys": "pred", "softmax": True}
ARGMAX = {"_target_": "AsDiscreted", "keys": "pred", "argmax": True}
STATS = {"_target_": "StatsHandler", "iteration_log": False}
CHECKPOINT = {
    "_target_": "CheckpointLoader",
    "load_path": "$@bundle_root + '/models/model.pt'",
    "load_dict": {"model": "@network"},
}
BENCHMARK = "$setattr(torch.backends.cudnn, 'benchmark', True)"
RUN = "$@evaluator.run()"
UNET = {"_target_": "UNet", "in_channels": 1, "channels": [4, 8, 8], "strides": [2, 2], "num_res_units": 2}
SEGRESNET = {"_target_": "SegResNet", "blocks_down": [1, 1], "blocks_up": [1], "init_filters": 8, "dropout_prob": 0.2}


def _spacing(pixdim):
    return {"_target_": "Spacingd", "keys": "image", "pixdim": pixdim, "mode": "bilinear"}


def _normalized(**settings):
    return {"_target_": "NormalizeIntensityd", "keys": "image", **settings}


def _inverse(**settings):
    return {
        "_target_": "Invertd",
        "keys": "pred",
        "transform": "@preprocessing",
        "orig_keys": "image",
        "nearest_interp": False,
        "to_tensor": True,
        **settings,
    }


def _save(**settings):
    return {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir", **settings}


def _config(network, preprocessing, inferer, postprocessing, handlers, *, workers=0, amp=True, **entries):
    return {
        "imports": ["$import glob", "$import os", "$import numpy"],
        "bundle_root": ".",
        "output_dir": "$@bundle_root + '/eval'",
        "dataset_dir": "/workspace/data",
        "device": DEVICE,
        "network_def": network,
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": preprocessing},
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': i} for i in @datalist]",
            "transform": "@preprocessing",
        },
        "dataloader": {
            "_target_": "DataLoader",
            "dataset": "@dataset",
            "batch_size": 1,
            "shuffle": False,
            "num_workers": workers,
        },
        "inferer": inferer,
        "postprocessing": {"_target_": "Compose", "transforms": postprocessing},
        "handlers": handlers,
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
            "amp": amp,
        },
        **entries,
    }


def _windows(side=32, **settings):
    return {"_target_": "SlidingWindowInferer", "roi_size": [side] * 3, "sw_batch_size": 4, "overlap": 0.5, **settings}


TRANS = {"output_ext": ".nii.gz", "output_dtype": "$numpy.float32", "output_postfix": "trans", "separate_folder": True}
SAVE_TRANS = _save(**{name: f"@{name}" for name in TRANS})

SPLEEN = _config(
    {**UNET, "spatial_dims": 3, "out_channels": 2, "norm": "batch"},
    [
        *LOAD,
        ORIENTATION,
        _spacing([1.5, 1.5, 2.0]),
        {
            "_target_": "ScaleIntensityRanged",
            "keys": "image",
            "a_min": -57,
            "a_max": 164,
            "b_min": 0,
            "b_max": 1,
            "clip": True,
        },
        TENSOR,
    ],
    _windows(),
    [SOFTMAX, _inverse(), ARGMAX, SAVE_TRANS],
    [STATS],
    workers=1,
    **TRANS,
    datalist="$list(sorted(glob.glob(@dataset_dir + '/imagesTs/*.nii.gz')))",
    checkpointloader=CHECKPOINT,
    initialize=["$monai.utils.set_determinism(seed=123)", "$@checkpointloader(@evaluator)"],
    run=[RUN],
)

BRATS = _config(
    {**SEGRESNET, "in_channels": 4, "out_channels": 3},
    [LOAD[0], _normalized(nonzero=True, channel_wise=True)],
    _windows(),
    [
        {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
        _inverse(meta_keys="pred_meta_dict"),
        {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
        {
            "_target_": "Lambdad",
            "keys": "pred",
            "func": "$lambda x: torch.where(x[[2]] > 0, 4, torch.where(x[[0]] > 0, 1, torch.where(x[[1]] > 0, 2, 0)))",
        },
        _save(
            meta_keys="pred_meta_dict",
            output_postfix="seg",
            output_dtype="uint8",
            resample=False,
            squeeze_end_dims=True,
        ),
    ],
    [CHECKPOINT, STATS],
    data_list_file_path="$@bundle_root + '/configs/datalist.json'",
    test_datalist="$monai.data.load_decathlon_datalist(@data_list_file_path, True, 'testing', @dataset_dir)",
    dataset={"_target_": "Dataset", "data": "@test_datalist", "transform": "@preprocessing"},
    evaluating=[BENCHMARK, RUN],
)

UNEST = _config(
    {
        "_target_": "scripts.networks.unest_base_patch_4.UNesT",
        "in_channels": 1,
        "out_channels": 133,
        "depths": [2, 2, 8],
    },
    [*LOAD, _normalized(nonzero="True", channel_wise="True"), TENSOR],
    _windows(overlap=0.7),
    [SOFTMAX, _inverse(meta_key_postfix="meta_dict"), ARGMAX, _save(meta_keys="pred_meta_dict")],
    [{**CHECKPOINT, "strict": "True"}, STATS],
    amp=False,
    datalist="$list(sorted(glob.glob(@dataset_dir + '/*.nii.gz')))",
    evaluating=[BENCHMARK, RUN],
)

PROSTATE = _config(
    {**UNET, "spatial_dims": 3, "out_channels": 3, "norm": "batch", "act": "prelu", "dropout": 0.15},
    [
        *LOAD,
        ORIENTATION,
        _spacing([0.5, 0.5, 0.5]),
        {"_target_": "ScaleIntensityd", "keys": "image", "minv": 0, "maxv": 1},
        _normalized(),
        TENSOR,
    ],
    _windows(),
    [
        ARGMAX,
        {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": [1, 2]},
        _inverse(meta_key_postfix="meta_dict"),
        _save(meta_keys="pred_meta_dict", resample=False),
    ],
    [{**CHECKPOINT, "map_location": {"_target_": "torch.device", "device": "@device"}}, STATS],
    imports=["$import pandas as pd", "$import os"],
    datalist="$list(@dataset_dir + pd.read_csv(@dataset_dir + 'test.csv').t2)",
    initialize=[BENCHMARK],
    run=[RUN],
)

WHOLE_BODY = _config(
    {**SEGRESNET, "spatial_dims": 3, "in_channels": 1, "out_channels": 105},
    [
        {**step, "keys": "@image_key"}
        for step in (
            LOAD[0],
            TENSOR,
            LOAD[1],
            ORIENTATION,
            _spacing("@pixdim"),
            _normalized(nonzero=True),
            {"_target_": "ScaleIntensityd", "minv": -1.0, "maxv": 1.0},
        )
    ],
    _windows(
        sw_batch_size="@displayable_configs#sw_batch_size",
        overlap="@displayable_configs#sw_overlap",
        padding_mode="replicate",
        mode="gaussian",
        device=DEVICE,
    ),
    [SOFTMAX, ARGMAX, _inverse(orig_keys="@image_key", nearest_interp=True), SAVE_TRANS],
    [STATS],
    workers=1,
    **TRANS,
    displayable_configs={"highres": False, "sw_overlap": 0.25, "sw_batch_size": 1},
    image_key="image",
    datalist="$list(sorted(glob.glob(@dataset_dir + '/imagesTs/*.nii.gz')))",
    pixdim="$[1.5, 1.5, 1.5] if @displayable_configs#highres else [3.0, 3.0, 3.0]",
    modelname="$'model_highres.pt' if @displayable_configs#highres else 'model.pt'",
    checkpointloader={**CHECKPOINT, "load_path": "$@bundle_root + '/models/' + @modelname"},
    initialize=[BENCHMARK, "$@checkpointloader(@evaluator)"],
    run=[RUN],
)

VENTRICULAR = _config(
    {**UNET, "spatial_dims": 2, "out_channels": 4},
    [
        {**LOAD[0], "image_only": False},
        LOAD[1],
        {"_target_": "ScaleIntensityd", "keys": "image"},
        {**TENSOR, "device": "@device"},
    ],
    {"_target_": "SliceInferer", "roi_size": [64, 64], "spatial_dim": 2},
    [SOFTMAX, _inverse(meta_key_postfix="meta_dict"), ARGMAX, _save(meta_keys="pred_meta_dict")],
    [CHECKPOINT],
    amp=False,
    datalist="$list(sorted(glob.glob(@dataset_dir + '/*.nii*')))",
    evaluating=[RUN],
)

CONFIGS = {
    "spleen_ct_segmentation": SPLEEN,
    "brats_mri_segmentation": BRATS,
    "wholeBrainSeg_Large_UNEST_segmentation": UNEST,
    "prostate_mri_anatomy": PROSTATE,
    "wholeBody_ct_segmentation": WHOLE_BODY,
    "ventricular_short_axis_3label": VENTRICULAR,
}
