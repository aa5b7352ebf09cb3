"""Scores and decisions of a detector on the slices of one image, as array and dictionary transform."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.config.type_definitions import NdarrayOrTensor
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends
from torch import Tensor

from monai_advdefense.errors import CalibrationError
from monai_advdefense.guard.blank import is_blank
from monai_advdefense.guard.detector import ReconstructionDetector
from monai_advdefense.messages import broken_rule
from monai_advdefense.transforms.guarded_channels import GuardedChannels

__all__ = ["DetectAdversarial", "DetectAdversarialD", "DetectAdversarialDict", "DetectAdversariald"]


class DetectAdversarial(Transform):
    """Score each slice of an image, and decide whether to accept it; the image is left as it is.

    Each guarded channel is scored as if it were alone; the largest score counts, and one rejected channel rejects the
    slice. Slices without foreground score 0 and are accepted.

    Put it right after loading, before anything that changes the values.

    Args:
        detector: calibrated detector of one channel, put into evaluation mode;
            :func:`monai_advdefense.bundle_tools.load_detector` gives that of a bundle. Scores are computed on its
            device.
        slice_dim: spatial axis that counts the slices, 0 is the first; None takes the image as one slice.
        axcodes: orientation in which ``slice_dim`` counts and the detector sees the slices, such as ``"RAS"``, for a
            MetaTensor in any orientation; None takes the axes as they are.
        channels: numbers of the guarded channels; None is all of them.
        value_range: values that become 0 and 1, the range of the detector; what lies outside is clipped. None takes 0
            to the 99.5th percentile around the voxels above 0, as the bundles do.
        slice_size: sides of the slices that the detector takes: each is cropped to the foreground of the channel and
            padded; None takes slices as they are.
        batch_size: slices that are scored at once.

    Raises:
        InputError: if an argument does not fit the image.
        CalibrationError: if the detector has no threshold.

    Example:
        >>> detector = ReconstructionDetector(torch.nn.Threshold(0.5, 0.0), domain="image")
        >>> _ = detector.threshold.fill_(0.6)
        >>> image = torch.tensor([[[0.2, 1.0], [0.5, 0.5]]])
        >>> score, accepted = DetectAdversarial(detector, slice_dim=0, value_range=(0, 1))(image)
        >>> score, accepted
        (tensor([0.2000, 0.7071]), tensor([ True, False]))
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        detector: ReconstructionDetector,
        slice_dim: int | None = None,
        *,
        axcodes: str | None = None,
        channels: Sequence[int] | None = None,
        value_range: Sequence[float] | None = None,
        slice_size: Sequence[int] | None = None,
        batch_size: int = 8,
    ) -> None:
        self.detector = detector
        self.guarded = GuardedChannels(slice_dim, axcodes, channels, value_range, slice_size, batch_size)

    def __call__(self, image: NdarrayOrTensor) -> tuple[Tensor, Tensor]:
        """Score and decision of each slice of ``image`` ``(C, *spatial)``.

        Returns:
            Scores ``(slices,)`` float32, higher is more suspicious, and ``(slices,)`` bool, False is rejected; plain
            tensors on the device of the image.
        """
        if not torch.isfinite(self.detector.threshold):
            raise broken_rule("detector", "a calibrated threshold", "none", "calibrate it", error=CalibrationError)
        scores, accepted = [], []
        for _, cut in self.guarded.cut(image):
            filled = is_blank(cut.image).logical_not()
            score = cut.image.new_zeros(len(filled))
            if filled.any():
                score[filled] = self.guarded.run(self.detector, self.detector.score, cut.image[filled])
            threshold = self.detector.threshold
            accepted.append(self.detector.decide(cut.image.to(threshold.device), score.to(threshold)).to(score.device))
            scores.append(score)
        return torch.stack(scores).amax(0), torch.stack(accepted).all(0)


class DetectAdversariald(MapTransform):
    """Dictionary version of :class:`DetectAdversarial`: writes ``score_{key}`` and ``accepted_{key}``.

    Images with different numbers of slices cannot be collated to one batch: load one at a time.

    Not ``{key}_score``: ``Spacingd`` takes what begins with the key and an underscore for a dictionary of meta data.

    Args:
        keys: keys of the images.
        detector: see :class:`DetectAdversarial`, as for ``slice_dim`` and the ``options``.
        score_prefix: what the key of the scores has before an underscore and the key of the image.
        accepted_prefix: the same for the decisions.
        allow_missing_keys: do not fail where a key of ``keys`` is absent.
    """

    backend = DetectAdversarial.backend

    def __init__(
        self,
        keys: KeysCollection,
        detector: ReconstructionDetector,
        slice_dim: int | None = None,
        *,
        score_prefix: str = "score",
        accepted_prefix: str = "accepted",
        allow_missing_keys: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.score_prefix = score_prefix
        self.accepted_prefix = accepted_prefix
        self.transform = DetectAdversarial(detector, slice_dim, **options)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add scores and decisions of the image under each key."""
        result = dict(data)
        for key in self.key_iterator(result):
            score, accepted = self.transform(result[key])
            result[f"{self.score_prefix}_{key}"] = score
            result[f"{self.accepted_prefix}_{key}"] = accepted
        return result


DetectAdversarialD = DetectAdversarialDict = DetectAdversariald
