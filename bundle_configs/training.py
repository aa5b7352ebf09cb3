"""train.json: train on slices, validate, keep the best weights, resume."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bundle_configs.components import Entries, component, compose, handler, loader, own, references, same
from bundle_configs.entries import BUNDLE_ROOT, CHECK_OVERRIDES, DEVICE, IMPORTS, SLICES
from bundle_configs.networks import FEATURES, NETWORK
from bundle_configs.preprocessing import volume_transforms

__all__ = [
    "DATA",
    "METRICS",
    "RUN_VALIDATION",
    "TRAINING_ATTACK",
    "TRAIN_SIZE",
    "Training",
    "branch",
    "changes",
    "rates",
]

DATA = "$import monai_advdefense.data as data"
METRICS = "$import monai_advdefense.metrics as metrics"
RUN_VALIDATION = {"run": ["$@validate#evaluator.run()"]}
# Of a training against who attacks.
TRAINING_ATTACK = own("defences.TrainingAttack", **same("norms", "low_frequency_norms"), steps="@attack_steps")
TRAIN_SIZE = {"train_size": [144, 144]}
_EVENTS = "$os.path.join(@run_dir, 'events')"
_LOSS = "$monai.handlers.from_engine([@loss_name], first=True)"


def rates(*, epochs: int, val_interval: int = 1, learning_rate: float = 0.001, every: int = 3) -> Entries:
    """How long and how fast."""
    return {
        "seed": 0,
        **DEVICE,
        "epochs": epochs,
        "val_interval": val_interval,
        "learning_rate": learning_rate,
        "batch_size": 8,
        "every": every,
    }


def branch(name: str) -> Entries:
    """Where the weights and the run of another training of a bundle lie."""
    return {
        "ckpt_path": f"$os.path.join(@bundle_root, 'models', '{name}', 'model.pt')",
        "run_dir": f"$os.path.join(@bundle_root, 'runs', '{name}')",
    }


def changes(base: Entries, config: Entries) -> Entries:
    """Overlay that makes a configuration of another one."""
    return {key: entry for key, entry in config.items() if base.get(key) != entry}


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training.

    Attributes:
        settings: paths, lengths and rates, which users set.
        network_def: definition of the network.
        loss: loss function.
        data: expression that lists the cases of a split, with ``{split}`` in place of its name.
        label: whether the cases have labels.
        metric: the metric of the validation by its name.
        best: arguments of the handler that keeps the best weights.
        evaluator: further arguments of the evaluator of the validation.
        augmentation: transforms of a slice by name, in their order.
        augment_validation: whether slices of the validation are augmented as well.
        postprocessing: transforms of the validation by name, in their order.
        trained: entry of the network that is trained; the others keep their weights.
        networks: entries that ``trained`` needs beside ``network``.
        batches: argument of both engines that makes batches of the slices.
        start: handlers that load weights to start from.
        imports: modules that this configuration, or one over it, needs.
    """

    settings: Entries
    network_def: Entries
    loss: Entries
    data: str
    label: bool
    metric: Entries
    best: Entries
    evaluator: Entries = field(default_factory=dict)
    augmentation: Entries = field(default_factory=dict)
    augment_validation: bool = False
    postprocessing: Entries = field(default_factory=dict)
    trained: str = "network"
    networks: Entries = field(default_factory=dict)
    batches: Entries = field(default_factory=dict)
    start: tuple[Entries, ...] = ()
    imports: tuple[str, ...] = ()

    def config(self) -> Entries:
        """train.json."""
        before = volume_transforms(label=self.label)
        return {
            "imports": [*IMPORTS, DATA, *self.imports],
            **BUNDLE_ROOT,
            **self.settings,
            **SLICES,
            **FEATURES,
            "network_def": self.network_def,
            **NETWORK,
            **self.networks,
            "loss": self.loss,
            "loss_name": "loss",
            **self._optimization(),
            "best_weights": handler("BestWeights", network="@network", path="@ckpt_path", **self.best),
            **before,
            **self.augmentation,
            **self.postprocessing,
            "resumed_objects": {"network": f"@{self.trained}", **same("optimizer", "lr_scheduler", "best_weights")},
            **_LOG_METRICS,
            "train": self._train(before),
            "validate": self._validate([*_LOG_METRICS, "best_weights"]),
            "initialize": [CHECK_OVERRIDES, _SEED],
            "run": ["$@train#trainer.run()"],
        }

    def multi_gpu(self) -> Entries:
        """multi_gpu_train.json: the same by several processes."""
        module = NETWORK["network"] if self.trained == "network" else self.networks[self.trained]
        return {
            "device": "$torch.device('cuda:' + os.environ['LOCAL_RANK'] if torch.cuda.is_available() else 'cpu')",
            "dist_backend": "$'nccl' if torch.cuda.is_available() else 'gloo'",
            self.trained: component(
                "torch.nn.parallel.DistributedDataParallel",
                module=module,
                device_ids="$[@device] if @device.type == 'cuda' else None",
            ),
            **_sampler("train", even_divisible=True, shuffle=True),
            "train#dataloader#shuffle": False,
            "printing_handlers": "$(monai.handlers.StatsHandler, monai.handlers.TensorBoardStatsHandler, "
            "handlers.TrainingProgress)",
            "train#trainer#train_handlers": "$[each for each in @train#handlers if dist.get_rank() == 0 or "
            "not isinstance(each, @printing_handlers)]",
            **_sampler("validate", even_divisible=False, shuffle=False),
            "validate#evaluator#network": f"$@{self.trained}.module",
            "sync_buffers": handler("SyncBuffers", network=f"@{self.trained}"),
            "validate#evaluator#val_handlers": "$[@sync_buffers] + (@validate#handlers if dist.get_rank() == 0 else "
            "[@best_weights])",
            "initialize": [
                CHECK_OVERRIDES,
                "$import torch.distributed as dist",
                "$import monai_advdefense.handlers as handlers",
                "$dist.is_initialized() or dist.init_process_group(backend=@dist_backend)",
                "$torch.cuda.set_device(@device) if @device.type == 'cuda' else None",
                _SEED,
            ],
            "finalize": ["$dist.is_initialized() and dist.destroy_process_group()"],
        }

    def _optimization(self) -> Entries:
        return {
            "optimizer": component(
                "torch.optim.Adam", params=f"$@{self.trained}.parameters()", lr="@learning_rate", weight_decay=1e-05
            ),
            "lr_scheduler": component(
                "torch.optim.lr_scheduler.CosineAnnealingLR", optimizer="@optimizer", T_max="@epochs"
            ),
        }

    def _handlers(self) -> list[Entries]:
        """In the list itself: MONAI and MONAI Label read their targets there."""
        augmentation = {"transform": "@train#augmentation"} if self.augmentation else {}
        reported = {"tag_name": "train_loss", "output_transform": _LOSS}
        validation = {"validator": "@validate#evaluator", "epoch_level": True, "interval": "@val_interval"}
        return [
            handler("EpochSeed", seed="@seed", **augmentation),
            *self.start,
            component("ValidationHandler", **validation),
            component("LrScheduleHandler", lr_scheduler="@lr_scheduler", print_lr=False),
            handler("ConciseStatsHandler", **reported, iteration_log=False),
            component("TensorBoardStatsHandler", log_dir=_EVENTS, **reported),
            handler("TrainingProgress", loss="@loss_name"),
            handler("Resume", run_dir="@run_dir", objects="@resumed_objects"),
        ]

    def _train(self, before: Entries) -> Entries:
        augmentation = {"augmentation": compose(self.augmentation)} if self.augmentation else {}
        return {
            "preprocessing": compose(before),
            **augmentation,
            "dataset": self._dataset("train", augmented=bool(augmentation)),
            "dataloader": loader("@train#dataset", "@batch_size", shuffle=True, drop_last=True),
            "inferer": component("SimpleInferer"),
            "handlers": self._handlers(),
            "trainer": component(
                "SupervisedTrainer",
                max_epochs="@epochs",
                device="@device",
                train_data_loader="@train#dataloader",
                network=f"@{self.trained}",
                loss_function="@loss",
                optimizer="@optimizer",
                inferer="@train#inferer",
                **self.batches,
                train_handlers="@train#handlers",
            ),
        }

    def _validate(self, handlers: list[str]) -> Entries:
        after = {"postprocessing": compose(self.postprocessing)} if self.postprocessing else {}
        return {
            "preprocessing": "@train#preprocessing",
            "dataset": self._dataset("validate", augmented=self.augment_validation),
            "dataloader": loader("@validate#dataset", 16),
            "inferer": component("SimpleInferer"),
            **after,
            "handlers": references(handlers),
            "key_metric": self.metric,
            "evaluator": component(
                "SupervisedEvaluator",
                device="@device",
                val_data_loader="@validate#dataloader",
                network=f"@{self.trained}",
                **self.batches,
                inferer="@validate#inferer",
                **{"postprocessing": "@validate#postprocessing"} if after else {},
                key_val_metric="@validate#key_metric",
                val_handlers="@validate#handlers",
                **self.evaluator,
            ),
        }

    def _dataset(self, part: str, *, augmented: bool) -> Entries:
        return own(
            "data.SliceDataset",
            data=self.data.format(split={"train": "train", "validate": "validation"}[part]),
            volume_transform=f"@{part}#preprocessing",
            **same("slice_size", "slice_dim", "every"),
            **({"transform": "$@train#augmentation"} if augmented else {}),
            **({} if self.label else {"keys": ["image"]}),
        )


_SEED = "$monai.utils.set_determinism(seed=@seed)"
_LOG_METRICS: Entries = {
    "print_metrics": handler("ConciseStatsHandler", iteration_log=False),
    "log_metrics": component("TensorBoardStatsHandler", log_dir=_EVENTS, iteration_log=False),
}


def _sampler(part: str, **arguments: Any) -> Entries:
    sampler = component("DistributedSampler", dataset=f"@{part}#dataset", **arguments)
    return {f"{part}#sampler": sampler, f"{part}#dataloader#sampler": f"@{part}#sampler"}
