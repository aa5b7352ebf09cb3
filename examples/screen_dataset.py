"""Screen a folder of images before a training: which slices do not look like clean ones?

    python examples/screen_dataset.py

Nothing is downloaded; half a minute on one core. The images are phantoms in a temporary folder.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from monai.data import DataLoader, PersistentDataset
from monai.transforms import Compose, LoadImaged

from monai_advdefense.bundle_tools import Guard
from monai_advdefense.data.phantom import write_phantom_dataset
from monai_advdefense.guard.calibration import threshold_at_false_positive_rate
from monai_advdefense.transforms import DetectAdversariald

GUARD_DIR = Path(__file__).parents[1] / "bundles" / "brain_mri_defended_segmentation"
NOISY = slice(10, 16)


def write_images(folder: Path) -> list[Path]:
    """Six volumes; the last one is noisy in some slices."""
    write_phantom_dataset(folder, 6, shape=(64, 24, 64))
    paths = sorted((folder / "images").glob("*.nii.gz"))
    volume = nib.load(paths[-1])
    values = np.asarray(volume.dataobj).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 200, values.shape)
    values[:, NOISY] = np.where(values > 0, np.clip(values + noise, 1, None), 0)[:, NOISY]
    nib.save(nib.Nifti1Image(values.astype(np.int16), volume.affine), paths[-1])
    return paths


def main() -> None:
    """Score all slices in worker processes, set a threshold on images that are trusted, and name what lies above it."""
    guard = Guard.from_bundle(GUARD_DIR)
    with tempfile.TemporaryDirectory() as work:
        paths = write_images(Path(work))
        transform = Compose(
            [
                LoadImaged("image", ensure_channel_first=True),
                DetectAdversariald("image", guard.detector, 1, axcodes="RAS", slice_size=guard.slice_size),
            ]
        )
        # Scores are deterministic, so a persistent data set keeps them for the training that follows.
        dataset = PersistentDataset([{"image": str(path)} for path in paths], transform, cache_dir=Path(work) / "cache")
        scores = [case["score_image"][0] for case in DataLoader(dataset, num_workers=2)]

    # The shipped threshold is for real brains: here the first four volumes are trusted.
    trusted = torch.cat(scores[:4])
    threshold = threshold_at_false_positive_rate(trusted[trusted > 0], 0.05)
    for path, score in zip(paths, scores, strict=True):
        print(f"{path.name}: suspicious slices {(score > threshold).nonzero().flatten().tolist()} of {len(score)}")


if __name__ == "__main__":
    main()
