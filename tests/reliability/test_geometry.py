"""Results have the geometry of their input bit for bit, and each voxel comes back to its place."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.transforms import Compose

from bundle_configs.preprocessing import volume_transforms
from monai_advdefense.data.checks import check_volume_file
from monai_advdefense.handlers.volume_writer import write_like
from monai_advdefense.transforms import InvertLabelsd

KEPT = "dim pixdim qform_code sform_code quatern_b quatern_c quatern_d qoffset_x qoffset_y qoffset_z srow_x srow_y "
KEPT += "srow_z xyzt_units descrip aux_file intent_name toffset"
SHAPES = [(5, 6, 7), (5, 6, 7, 1), (5, 6, 1), (1, 6, 7), (5, 1, 7, 1, 1)]
FORMS = [(nib.Nifti1Image, "<"), (nib.Nifti1Image, ">"), (nib.Nifti2Image, "<")]
CODES = [(1, 2), (0, 4), (3, 0), (1, 1), (0, 1)]


def _affine(rng, number):
    """Oblique in all but every third; sheared in every fifth, which a qform cannot say."""
    rotation = np.eye(3) if number % 3 == 0 else np.linalg.qr(rng.normal(size=(3, 3)))[0]
    spacing = (0.3, 0.3, 30.0) if number % 7 == 0 else rng.uniform(0.3, 3.0, 3)
    affine = np.eye(4)
    affine[:3, :3] = rotation[:, rng.permutation(3)] * spacing * rng.choice([-1, 1], 3)
    if number % 5 == 4:
        affine[:3, :3] = affine[:3, :3] @ (np.eye(3) + 0.2 * np.eye(3, k=1))
    affine[:3, 3] = rng.uniform(-1000, 1000, 3)
    return affine


def _write(path, rng, number):
    image_class, order = FORMS[number % len(FORMS)]
    array = rng.integers(1, 1000, SHAPES[number % len(SHAPES)]).astype(np.int16)
    affine = _affine(rng, number)
    volume = image_class(array, affine, image_class.header_class(endianness=order))
    qcode, scode = (0, 2) if number % 5 == 4 else CODES[number % 4]
    volume.set_qform(affine if qcode else None, qcode)
    volume.set_sform(affine, scode)
    volume.header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
    volume.header.set_xyzt_units("mm", "sec")
    volume.header["descrip"] = b"from a scanner"
    volume.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"kept"))
    nib.save(volume, path)
    return array


def _there_and_back(path):
    """Labels that are the image's own values, turned to RAS and back."""
    entries = ConfigParser(volume_transforms(label=False))
    turn = Compose([entries.get_parsed_content("load_image"), entries.get_parsed_content("orientation")])
    case = turn({"image": str(path)})
    case["pred"] = torch.as_tensor(case["image"]).to(torch.int16)
    return InvertLabelsd("pred", turn, "image")(case)["pred"].numpy()[0]


def test_geometry_survives_and_voxels_come_back(tmp_path, full, figure):
    rng, count = np.random.default_rng(0), 200 if full else 30
    for number in range(count):
        source, target = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
        array = _write(source, rng, number)
        check_volume_file(source)
        labels = _there_and_back(source)
        np.testing.assert_array_equal(labels, array.reshape(array.shape[:3]))
        write_like(labels, source, target, "int16")
        before, after = nib.load(source), nib.load(target)
        assert type(after) is type(before)
        assert after.header.endianness == before.header.endianness
        assert after.affine.tobytes() == before.affine.tobytes()
        for field in KEPT.split():
            assert after.header[field].tobytes() == before.header[field].tobytes(), (number, field)
        kept = [extension.get_content() for extension in before.header.extensions]
        assert [extension.get_content() for extension in after.header.extensions] == kept
        np.testing.assert_array_equal(np.asarray(after.dataobj), array)
    figure(f"{count} of {count} affines, codes, units and extensions bit-equal; all voxels in their place")
