#!/usr/bin/env bash
# One NaN among the validation scores: ignite keeps the first network for ever, and a training that diverged goes on.
#
# Versions:  pytorch-ignite 0.5.5; beside it torch 2.13.0, numpy 2.4.6.
# Behaviour: Checkpoint, which keeps the best network by a score, saves the first one whatever its score. If that score
#            is NaN, no later score replaces it: the file of the "best" network stays the one of the first epoch.
#            EarlyStopping is wrong the other way: a NaN counts as an improvement and sets the patience back to its
#            start, so a training whose score has become NaN is not stopped. Neither gives a warning.
# Expected:  NaN is the worst score: any number replaces it, and it never counts as an improvement.
# Hit:       users of ignite, and of MONAI's CheckpointSaver and EarlyStopHandler, which are built on these. Scores are
#            NaN where a metric is not defined (an AUC while all cases of a short first validation are of one class, a
#            ratio 0 / 0 while a network predicts nothing yet) or the loss diverges. A way round: a score_function that
#            turns NaN into minus infinity; TerminateOnNan on the trainer.
#
# Output:
#   scores [0.6, 0.7, 0.8, 0.9]: kept ['network_score=0.9000.pt'], ended after epoch 4 of 4
#   scores [nan, 0.7, 0.8, 0.9]: kept ['network_score=nan.pt'], ended after epoch 4 of 4
#   scores [0.9, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1]: kept ['network_score=0.9000.pt'], ended after epoch 4 of 8
#   scores [0.9, 0.5, nan, nan, nan, nan, nan, nan]: kept ['network_score=0.9000.pt'], ended after epoch 8 of 8
#   as stated: a first NaN is never replaced, and NaN never runs out of patience
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install --quiet pytorch-ignite==0.5.5

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from math import nan
from pathlib import Path

import torch
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, DiskSaver, EarlyStopping


def train(name, scores):
    """Epochs with these validation scores: the file that is kept at the end, and after how many epochs it ends."""
    trainer, validator = Engine(lambda engine, batch: None), Engine(lambda engine, batch: None)
    network = torch.nn.Linear(1, 1)

    @trainer.on(Events.EPOCH_COMPLETED)
    def validate():
        validator.run([0])

    @validator.on(Events.COMPLETED)
    def measure():
        validator.state.metrics["score"] = scores[trainer.state.epoch - 1]

    def score(engine):
        return engine.state.metrics["score"]

    best = Checkpoint({"network": network}, DiskSaver(name), n_saved=1, score_function=score, score_name="score")
    validator.add_event_handler(Events.COMPLETED, best)
    validator.add_event_handler(Events.COMPLETED, EarlyStopping(patience=3, score_function=score, trainer=trainer))
    trainer.run([0], max_epochs=len(scores))
    kept = [path.name for path in Path(name).iterdir()]
    print(f"scores {scores}: kept {kept}, ended after epoch {trainer.state.epoch} of {len(scores)}")
    return kept, trainer.state.epoch


seen = [
    train("better", [0.6, 0.7, 0.8, 0.9]),
    train("first_is_nan", [nan, 0.7, 0.8, 0.9]),
    train("worse", [0.9, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1]),
    train("diverged", [0.9, 0.5, nan, nan, nan, nan, nan, nan]),
]
stated = [
    (["network_score=0.9000.pt"], 4),
    (["network_score=nan.pt"], 4),
    (["network_score=0.9000.pt"], 4),
    (["network_score=0.9000.pt"], 8),
]
assert seen == stated, f"changed: expected {stated}, found {seen}"
print("as stated: a first NaN is never replaced, and NaN never runs out of patience")
PYTHON
