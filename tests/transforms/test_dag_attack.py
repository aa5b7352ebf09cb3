from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose, Flipd, Invertd
from torch import nn

from monai_advdefense.attacks.dag import dag
from monai_advdefense.attacks.targets import all_background, dilate_structure, random_derangement, swap_most_frequent
from monai_advdefense.errors import InputError
from monai_advdefense.transforms.dag_attack import DAGAttack, DAGAttackD, DAGAttackd, DAGAttackDict


def network(dims: int = 2) -> nn.Module:
    torch.manual_seed(0)
    convolution = {2: nn.Conv2d, 3: nn.Conv3d}[dims]
    return nn.Sequential(convolution(1, 6, 3, padding=1), nn.Tanh(), convolution(6, 5, 3, padding=1))


def volume(*spatial: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    image = torch.rand(1, *spatial, generator=generator)
    return image * (image > 0.4), torch.randint(5, (1, *spatial), generator=generator)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("brain_only", [True, False])
def test_one_sample_equals_the_function(dims, brain_only):
    image, label = volume(*(6, 7, 5)[:dims])
    options = {"steps": 3, "norm": "linf", "target_term": True, "include_background": True, "bounds": None}
    attack = DAGAttack(network(dims), step_size=0.01, brain_only=brain_only, **options)
    mask = image[None] > 0 if brain_only else None
    expected = dag(
        network(dims), image[None], label, target=torch.zeros_like(label), step_size=0.01, mask=mask, **options
    )
    assert torch.equal(attack(image, label), expected.image[0])
    assert torch.equal(attack(image, label[0]), expected.image[0])
    assert torch.equal(attack(image, label.float()), expected.image[0])
    assert torch.equal(attack(image, label)[image == 0], image[image == 0]) == brain_only


@pytest.mark.parametrize("slice_dim", [0, 1, 2])
@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_volume_is_attacked_slice_by_slice(slice_dim, batch_size):
    image, label = volume(5, 6, 7)
    attack = DAGAttack(network(), "swap", step_size=0.3, steps=3, slice_dim=slice_dim, batch_size=batch_size)
    attacked = attack(image, label)
    for i in range(image.shape[1 + slice_dim]):
        flat, classes = image.select(1 + slice_dim, i), label.select(1 + slice_dim, i)
        one = dag(network(), flat[None], classes, target=swap_most_frequent(classes), step_size=0.3, steps=3)
        torch.testing.assert_close(attacked.select(1 + slice_dim, i), one.image[0])


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("background", lambda label, generator: all_background(label)),
        ("swap", lambda label, generator: swap_most_frequent(label)),
        ("dilate", lambda label, generator: dilate_structure(label, generator=generator)),
        ("derangement", lambda label, generator: random_derangement(label, 5, generator=generator)),
    ],
)
def test_target_is_the_named_one_and_draws_do_not_depend_on_the_batch_size(name, build):
    image, label = volume(6, 7, 4)
    slices, classes = image.movedim(3, 0), label[0].movedim(2, 0)
    classes = classes.clone()
    target = build(classes, torch.Generator().manual_seed(11))
    expected = dag(network(), slices, classes, target=target, step_size=0.3, steps=2, target_term=True)
    options = {"num_classes": 5} if name == "derangement" else {}
    for batch_size in (3, 16):
        attack = DAGAttack(
            network(),
            name,
            step_size=0.3,
            steps=2,
            target_term=True,
            slice_dim=2,
            batch_size=batch_size,
            seed=11,
            **options,
        )
        torch.testing.assert_close(attack(image, label), expected.image.movedim(0, 3))
        assert torch.equal(attack(image, label), attack(image, label))


def test_without_label_the_prediction_of_the_network_is_attacked():
    image, _ = volume(6, 7, 4)
    attack = DAGAttack(network(), step_size=0.3, steps=2, slice_dim=2, batch_size=3)
    with torch.no_grad():
        predicted = network()(image.movedim(3, 0)).argmax(1).movedim(0, 2)
    assert torch.equal(attack(image), attack(image, predicted))


def test_metadata_and_applied_operations_survive():
    image, label = volume(6, 7, 4)
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))
    data = {"image": MetaTensor(image, affine=affine, meta={"filename_or_obj": "a.nii"}), "label": MetaTensor(label)}
    before = Flipd("image", spatial_axis=0)
    attack = DAGAttackd("image", None, network(), step_size=0.3, steps=1, slice_dim=2)
    attacked = Compose([before, attack])(data)

    assert isinstance(attacked["image"], MetaTensor)
    assert attacked["image"].meta["filename_or_obj"] == "a.nii"
    restored = Invertd("image", before)(attacked)["image"]
    assert torch.equal(restored.affine, affine)
    expected = attack({"image": image.flip(1)})["image"].flip(1)
    assert torch.equal(restored.as_tensor(), expected)


def test_brain_only_works_below_0():
    """Hounsfield units: air stays, and what is attacked is what the same image in other units is."""
    image, label = volume(6, 7)
    air = image < 0.4
    scan = torch.where(air, -1000.0, image - 500)
    options = {"step_size": 0.3, "steps": 2, "brain_only": True, "bounds": None}
    attacked = DAGAttack(network(), background=-900, **options)(scan, label)
    assert torch.equal(attacked[air], scan[air])
    assert (attacked[~air] != scan[~air]).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_array_comes_back_in_its_own_type(dtype):
    image, label = volume(6, 7)
    array = image.numpy().astype(dtype) / 3
    attacked = DAGAttack(network(), step_size=0.3, steps=2, brain_only=True)(array, label.numpy())
    assert isinstance(attacked, np.ndarray)
    assert attacked.dtype == dtype
    assert not np.array_equal(attacked, array)
    still = DAGAttack(network(), step_size=0, steps=2)(array, label.numpy())
    assert np.array_equal(still, array)  # also the digits that the float32 of the network lacks


def test_dictionary_transform_attacks_every_key_and_nothing_else():
    image, label = volume(6, 7)
    data = {"first": image, "second": image * 0.5, "label": label, "name": "a"}
    copies = {key: data[key].clone() for key in ("first", "second", "label")}
    attacked = DAGAttackd(["first", "second"], "label", network(), step_size=0.3, steps=2)(data)
    array = DAGAttack(network(), step_size=0.3, steps=2)
    for key in ("first", "second"):
        assert torch.equal(attacked[key], array(copies[key], label))
        assert torch.equal(data[key], copies[key])
    assert torch.equal(attacked["label"], copies["label"])
    assert attacked["name"] == "a"
    assert DAGAttackD is DAGAttackDict is DAGAttackd


def test_missing_keys():
    image, label = volume(6, 7)
    arguments = (["image", "other"], "label", network())
    with pytest.raises(KeyError, match="other"):
        DAGAttackd(*arguments, step_size=0.3, steps=1)({"image": image, "label": label})
    lenient = DAGAttackd(*arguments, step_size=0.3, steps=1, allow_missing_keys=True)
    assert set(lenient({"image": image, "label": label})) == {"image", "label"}
    with pytest.raises(InputError, match="label_key"):
        lenient({"image": image})


def test_built_from_a_configuration():
    config = {
        "network": {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 3, "kernel_size": 1},
        "attack": {
            "_target_": "monai_advdefense.transforms.dag_attack.DAGAttackd",
            "keys": ["image"],
            "label_key": None,
            "network": "@network",
            "step_size": 0.375,
            "steps": 2,
            "bounds": [0.0, 1.0],
            "slice_dim": 1,
            "include_background": True,
        },
    }
    image, _ = volume(6, 5, 7)
    attack = ConfigParser(config).get_parsed_content("attack")
    assert not torch.equal(attack({"image": image})["image"], image)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"target": "all"}, "target"),
        ({"target": "derangement"}, "num_classes"),
        ({"num_classes": 5}, "num_classes"),
        ({"batch_size": 0}, "batch_size"),
        ({"bounds": [1.0]}, "bounds"),
        ({"slice_dim": 2}, "slice_dim"),
        ({"slice_dim": -1}, "slice_dim"),
        ({"image": torch.ones(1, 6, 7, dtype=torch.uint8)}, "image"),
        ({"label": torch.zeros(2, 6, 7)}, "label"),
        ({"label": torch.full((1, 6, 7), 0.5)}, "label"),
    ],
)
def test_argument_that_does_not_fit_is_named(changes, name):
    image, label = volume(6, 7)
    image, label = changes.pop("image", image), changes.pop("label", label)
    with pytest.raises(InputError, match=f"{name}"):
        DAGAttack(network(), **{"step_size": 0.1, "steps": 1, **changes})(image, label)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_network_on_the_gpu_gives_a_result_on_the_device_of_the_image():
    image, label = volume(6, 7, 4)
    options = {"step_size": 0.3, "steps": 2, "slice_dim": 2}
    on_gpu = DAGAttack(network().double().cuda(), **options)(image, label)
    assert on_gpu.device == image.device
    torch.testing.assert_close(on_gpu, DAGAttack(network().double(), **options)(image, label))
