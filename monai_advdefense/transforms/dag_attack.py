"""DAG attack on one sample, as array and dictionary transform."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from monai.config import KeysCollection
from monai.config.type_definitions import NdarrayOrTensor
from monai.transforms import Transform
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_tensor
from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_at_least, check_choice
from monai_advdefense.attacks.dag import dag
from monai_advdefense.attacks.foreground_mask import foreground_mask
from monai_advdefense.attacks.frozen import frozen
from monai_advdefense.attacks.targets import all_background, dilate_structure, random_derangement, swap_most_frequent
from monai_advdefense.class_indices import class_indices
from monai_advdefense.messages import broken_rule
from monai_advdefense.transforms.each_key import EachKey

__all__ = ["DAGAttack", "DAGAttackD", "DAGAttackDict", "DAGAttackd"]

TARGETS = ("background", "swap", "dilate", "derangement")


class DAGAttack(Transform):
    """Attack one image with :func:`monai_advdefense.attacks.dag`; a volume slice by slice.

    The same image, label and seed give the same result: every call starts the generator of the random targets anew,
    and the slices of a volume draw from it in order. The attack runs on the device of the network, the result comes
    back on the device and in the type of the image, MetaTensor and applied operations included.

    Args:
        network: map from images to logits ``(B, K, *spatial)``. During an attack it is in evaluation mode and without
            gradients for everybody: while a data loader attacks in a thread, a network that is being trained must be
            given as a copy.
        target: ``"background"`` (type A), ``"swap"`` (type B), ``"dilate"`` (type C) or ``"derangement"`` (Xie et al.),
            see :mod:`monai_advdefense.attacks.targets`.
        step_size: length of one step in ``norm``, in units of the image;
            :func:`monai_advdefense.attacks.step_size_for` gives the paper's.
        steps: number of steps.
        norm: ``"l2"`` or ``"linf"``.
        target_term: add the logit of the target to the objective.
        include_background: also push pixels whose label is 0.
        brain_only: perturb only pixels above ``background`` in some channel.
        background: value of what is not to be attacked, in units of the image: 0 for scaled images, -1000 or so for
            Hounsfield units, for z-scores that of the background after scaling.
        bounds: lowest and highest value of an image, or None.
        stop: ``"all_flipped"`` or ``"never"``.
        result: ``"best"`` or ``"last"``.
        slice_dim: spatial dimension (0 is the first) along which a volume is cut into the slices that the network
            takes; None attacks the image as a whole.
        batch_size: how many slices are attacked at once; bounds the memory, does not change the result.
        num_classes: number of classes with background, for ``"derangement"`` only.
        seed: seed of the random targets.

    Raises:
        InputError: if an argument does not fit.

    Example:
        >>> network = nn.Conv2d(1, 2, 1)
        >>> attack = DAGAttack(network, "background", step_size=0.1, steps=3, slice_dim=2)
        >>> attack(torch.rand(1, 8, 8, 5), torch.ones(1, 8, 8, 5)).shape
        torch.Size([1, 8, 8, 5])
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        network: nn.Module,
        target: str = "background",
        *,
        step_size: float,
        steps: int = 20,
        norm: str = "l2",
        target_term: bool = False,
        include_background: bool = False,
        brain_only: bool = False,
        background: float = 0.0,
        bounds: Sequence[float] | None = (0.0, 1.0),
        stop: str = "never",
        result: str = "last",
        slice_dim: int | None = None,
        batch_size: int = 16,
        num_classes: int | None = None,
        seed: int = 0,
    ) -> None:
        check_choice("target", target, TARGETS)
        if (num_classes is None) == (target == "derangement"):
            expected = "a number for target derangement, None for the others"
            raise broken_rule("num_classes", expected, f"{num_classes} with target {target}", "correct it")
        check_at_least("batch_size", batch_size, 1)
        if bounds is not None and len(bounds) != 2:
            raise broken_rule("bounds", "two numbers (low, high)", bounds, "give both or None")
        self.network = network
        self.target = target
        self.brain_only = brain_only
        self.background = background
        self.slice_dim = slice_dim
        self.batch_size = batch_size
        self.num_classes = num_classes
        self.seed = seed
        self.attack = partial(
            dag,
            step_size=step_size,
            steps=steps,
            norm=norm,
            target_term=target_term,
            include_background=include_background,
            bounds=None if bounds is None else (bounds[0], bounds[1]),
            stop=stop,
            result=result,
        )

    def __call__(self, image: NdarrayOrTensor, label: NdarrayOrTensor | None = None) -> NdarrayOrTensor:
        """Attack an image.

        Args:
            image: ``(C, *spatial)``, floating point, within ``bounds``.
            label: classes ``(1, *spatial)`` or ``(*spatial)``; None takes what the network predicts on ``image``.

        Returns:
            The attacked image, in shape and type of ``image``.

        Raises:
            InputError: if image and label do not fit each other, the network or the bounds.
        """
        whole = convert_to_tensor(image, track_meta=False)
        if not whole.is_floating_point():
            raise broken_rule("image", "a floating-point type", whole.dtype, "cast it first")
        slices = self._cut(whole, channels=1)
        # Networks without parameters have no device and type of their own.
        like = next(self.network.parameters(), slices)
        clean = slices.to(device=like.device, dtype=like.dtype)
        classes = self._predict(clean) if label is None else self._cut(_classes(label, whole), channels=0)
        target = self._make_target(classes)
        attacked = torch.cat(
            [
                self.attack(
                    self.network,
                    part,
                    label_part.to(part.device),
                    target=target_part.to(part.device),
                    mask=foreground_mask(part, above=self.background) if self.brain_only else None,
                ).image
                for part, label_part, target_part in zip(
                    *(each.split(self.batch_size) for each in (clean, classes, target)), strict=True
                )
            ]
        )
        # Where nothing was added, the image keeps the digits that the type of the network may lack.
        merged = torch.where((attacked == clean).to(slices.device), slices, attacked.to(slices))
        joined = merged[0] if self.slice_dim is None else merged.movedim(0, 1 + self.slice_dim)
        result: NdarrayOrTensor = convert_to_dst_type(joined, image)[0]
        return result

    def _cut(self, array: Tensor, channels: int) -> Tensor:
        """Move the slices of an array with that many channel axes to the front; the whole is one slice."""
        if self.slice_dim is None:
            return array.unsqueeze(0)
        spatial = array.ndim - channels
        if not 0 <= self.slice_dim < spatial:
            raise broken_rule("slice_dim", f"0 to {spatial - 1} for this image", self.slice_dim, "0 is the first")
        return array.movedim(channels + self.slice_dim, 0)

    def _predict(self, slices: Tensor) -> Tensor:
        """Give the classes that the network predicts, which it is left unchanged by."""
        with frozen(self.network), torch.no_grad():
            return torch.cat([self.network(part).argmax(1) for part in slices.split(self.batch_size)])

    def _make_target(self, label: Tensor) -> Tensor:
        """Build the target of all slices at once, so that the batch size does not change the draws."""
        generator = torch.Generator().manual_seed(self.seed)
        if self.num_classes is not None:
            return random_derangement(label, self.num_classes, generator=generator)
        if self.target == "dilate":
            return dilate_structure(label, generator=generator)
        return swap_most_frequent(label) if self.target == "swap" else all_background(label)


class DAGAttackd(EachKey):
    """Dictionary version of :class:`DAGAttack`.

    Args:
        keys: keys of the images.
        label_key: key of the label map; None takes what the network predicts on each image.
        network: see :class:`DAGAttack`, as for ``target`` and the ``options``.
        allow_missing_keys: do not fail where a key of ``keys`` is absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        label_key: str | None,
        network: nn.Module,
        target: str = "background",
        *,
        allow_missing_keys: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(keys, DAGAttack(network, target, **options), allow_missing_keys)
        self.label_key = label_key

    def further_arguments(self, data: Mapping[Hashable, Any]) -> Sequence[Any]:
        """The label map."""
        if self.label_key is None:
            return ()
        if self.label_key not in data:
            raise broken_rule("label_key", "a key of the data", repr(self.label_key), "load the label map first")
        return (data[self.label_key],)


DAGAttackD = DAGAttackDict = DAGAttackd


def _classes(label: NdarrayOrTensor, image: Tensor) -> Tensor:
    """Give a label map of one sample as int64 ``(*spatial)``."""
    classes: Tensor = convert_to_tensor(label, track_meta=False)
    if classes.ndim == image.ndim and classes.shape[0] == 1:
        classes = classes[0]
    if classes.shape != image.shape[1:]:
        expected = f"(1, *spatial) or (*spatial) of an image {tuple(image.shape)}"
        raise broken_rule("label", expected, tuple(classes.shape), "resample it to the grid of the image")
    return class_indices("label", classes)
