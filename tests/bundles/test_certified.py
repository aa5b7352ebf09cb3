from __future__ import annotations

import nibabel as nib
import numpy as np
import torch

from monai_advdefense.weights import save_weights

# One layer in place of each network: quick, and more than one class.
LAYER = {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 28, "kernel_size": 3, "padding": 1}
SMALL = {"network_def#segmenter": LAYER, "passes": 30}


def test_labels_and_radii_are_written_on_the_grid_of_the_volume(
    copy_bundle, write_weights, workflow, phantoms, tmp_path
):
    bundle = copy_bundle("brain_mri_defended_segmentation")
    write_weights(bundle, threshold=1000.0, **SMALL)
    scan, folder = phantoms / "images" / "1000.nii.gz", tmp_path / "out"
    options = {"dataset_dir": str(scan), "output_dir": str(folder), **SMALL}
    run = workflow(bundle, "inference", "certified", kind="infer", **options)
    torch.manual_seed(1)
    (bundle / "models" / "denoiser").mkdir()
    save_weights(run.network_def.reformer, bundle / "models" / "denoiser" / "model.pt")
    run.run()

    image = nib.load(scan)
    labels, radii = (nib.load(folder / f"1000_{name}.nii.gz") for name in ("seg", "radius"))
    assert labels.shape == radii.shape == image.shape
    np.testing.assert_array_equal(radii.affine, image.affine)
    label, radius, brain = (np.asarray(volume.dataobj) for volume in (labels, radii, image))
    assert (radius[brain == 0] == 0).all()
    assert (label[brain == 0] == 0).all()
    certified = radius > 0
    assert certified.any()
    # What abstains has the label behind the classes, and what is certified has one of the classes.
    assert (label[(brain > 0) & ~certified] == 28).all()
    assert label[certified].max() < 28
    assert radius.max() <= 0.25 * 3
