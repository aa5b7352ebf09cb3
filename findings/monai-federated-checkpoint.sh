#!/usr/bin/env bash
# A federated MONAI client told not to load checkpoints loads one, and evaluates it in place of the server's weights.
#
# Versions:  monai 1.6.1; beside it torch 2.13.0, pytorch-ignite 0.5.5, numpy 2.4.6.
# Behaviour: MonaiAlgo switches off the checkpoint loaders of a bundle (disable_ckpt_loading, which is on unless one says
#            otherwise: "do not use any CheckpointLoader if defined in train/evaluate configs"). It finds only those
#            that are written out inside the list validate#handlers. A list that refers to the same loader, "@loader",
#            keeps it. It runs when the evaluation starts, after the weights of the server have been put into the
#            network, so the metrics that go back to the server are those of the file on the client's disk.
#            No warning or error is given.
# Expected:  a reference means what it refers to, as everywhere else in a bundle; the loader is off in both spellings.
# Hit:       whoever runs a bundle under MONAI's federated client and shares one loader between parts of its config.
#            Every client then reports the quality of its own file, round after round. A way round: "_disabled_": true in
#            the loader itself, or write it out in the list.
#
# Output:
#   weight sent by the server 7.0, weight in the file on disk 1.0, disable_ckpt_loading=True
#   loader in validate#handlers written out: evaluated with the weight 7.0
#   loader in validate#handlers @reference: evaluated with the weight 1.0
#   as stated: the loader behind a reference is not switched off
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install --quiet monai==1.6.1 pytorch-ignite==0.5.5

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import json
import logging
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

import torch
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import WeightType
from monai.fl.utils.exchange_object import ExchangeObject

SERVER, DISK = 7.0, 1.0
LOADER = {
    "_target_": "CheckpointLoader",
    "load_path": "$@bundle_root + '/models/model.pt'",
    "load_dict": {"model": "@network"},
}


def config(handlers):
    """A bundle that evaluates a network of one weight on one number."""
    dataset = {"_target_": "Dataset", "data": [{"image": [1.0], "label": [1.0]}],
               "transform": {"_target_": "ToTensord", "keys": ["image", "label"]}}
    evaluator = {"_target_": "SupervisedEvaluator", "device": "cpu", "network": "@network",
                 "val_data_loader": "@validate#dataloader", "val_handlers": "@validate#handlers"}
    return {
        "bundle_root": ".",
        "network": {"_target_": "torch.nn.Linear", "in_features": 1, "out_features": 1, "bias": False},
        "shared_loader": LOADER,
        "validate": {"dataloader": {"_target_": "DataLoader", "dataset": dataset}, "handlers": handlers,
                     "evaluator": evaluator},
    }


def evaluated_weight(name, handlers):
    """The weight with which the client evaluates after the server has sent SERVER."""
    root = Path(name).absolute()
    (root / "configs").mkdir(parents=True)
    (root / "models").mkdir()
    (root / "configs/evaluate.json").write_text(json.dumps(config(handlers)))
    torch.save({"model": {"weight": torch.full((1, 1), DISK)}}, root / "models/model.pt")
    client = MonaiAlgo(str(root), config_train_filename=None, config_evaluate_filename="configs/evaluate.json",
                       eval_kwargs={"bundle_root": str(root)}, disable_ckpt_loading=True)
    client.initialize()
    client.evaluate(ExchangeObject({"weight": torch.full((1, 1), SERVER)}, weight_type=WeightType.WEIGHTS))
    return float(client.evaluator.state.output[0]["pred"])  # the input is 1: the output is the weight


seen = {"written out": evaluated_weight("written", [LOADER]), "@reference": evaluated_weight("shared", ["@shared_loader"])}
print(f"weight sent by the server {SERVER}, weight in the file on disk {DISK}, disable_ckpt_loading=True")
for spelling, weight in seen.items():
    print(f"loader in validate#handlers {spelling}: evaluated with the weight {weight}")
assert seen == {"written out": SERVER, "@reference": DISK}, f"changed: {seen}"
print("as stated: the loader behind a reference is not switched off")
PYTHON
