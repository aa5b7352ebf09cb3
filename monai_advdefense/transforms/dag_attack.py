"""DAG attack on one sample, as array and dictionary transform."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_tensor
from torch import Tensor, nn

from monai_advdefense.attacks.checks import check_choice
from monai_advdefense.attacks.dag import dag
from monai_advdefense.attacks.frozen import frozen
from monai_advdefense.attacks.targets import all_background, dilate_structure, random_derangement, swap_most_frequent
from monai_advdefense.errors import InputError

__all__ = ["DAGAttack", "DAGAttackD", "DAGAttackDict", "DAGAttackd"]
