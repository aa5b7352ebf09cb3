from __future__ import annotations

import numpy as np


def mean_noise(image, inside):
    """Noise by an estimator that cancels linear trends, so anatomy and bias hardly count."""
    residual = np.diff(image.astype(float), 2, axis=1)[inside[:, 1:-1]] / np.sqrt(6)
    return 1.4826 * np.median(np.abs(residual - np.median(residual)))
