"""A damaged header is refused in one line, or what it says agrees in itself; no other error leaves the check."""

from __future__ import annotations

import gzip
import struct

import nibabel as nib
import numpy as np

from monai_advdefense.commands.check import check

NUMBERS = (0, 1, -1, 2, 1e-30, 1e30, 32767, float("nan"), float("inf"), 352, 0.5, -0.0)
# Places and formats of all fields that mean something.
FIELDS = [(0, "i"), (70, "h"), (72, "h"), (108, "f"), (112, "f"), (116, "f"), (123, "b"), (252, "h"), (254, "h")]
FIELDS += [(40 + 2 * n, "h") for n in range(8)] + [(76 + 4 * n, "f") for n in range(8)]
FIELDS += [(256 + 4 * n, "f") for n in range(6)] + [(280 + 4 * n, "f") for n in range(12)] + [(344, "i")]


def _byte(rng, data):
    place = rng.integers(352)
    return ".nii", data[:place] + bytes([rng.integers(256)]) + data[place + 1 :]


def _field(rng, data):
    place, form = FIELDS[rng.integers(len(FIELDS))]
    value = NUMBERS[rng.integers(len(NUMBERS))]
    if form != "f":
        most = 2 ** (8 * struct.calcsize(form) - 1) - 1
        value = int(np.clip(np.nan_to_num(value), -most, most))
    return ".nii", data[:place] + struct.pack(f"<{form}", value) + data[place + struct.calcsize(form) :]


def _cut(rng, data):
    return ".nii", data[: rng.integers(len(data))]


def _gzip_bit(rng, data):
    packed = gzip.compress(data, 1, mtime=0)
    place = rng.integers(len(packed))
    return ".nii.gz", packed[:place] + bytes([packed[place] ^ (1 << rng.integers(8))]) + packed[place + 1 :]


DAMAGES = (_byte, _field, _cut, _gzip_bit)


def _check_what_was_accepted(path):
    """What two readers could take for different things."""
    volume = nib.load(path)
    header = volume.header
    assert np.isfinite(np.asanyarray(volume.dataobj, dtype=np.float64)).all()
    affines = [header.get_sform()] * bool(header["sform_code"]) + [volume.affine]
    lengths = [np.linalg.norm(affine[:3, :3], axis=0) for affine in affines]
    for affine, length in zip(affines, lengths, strict=True):
        np.testing.assert_allclose(length, header.get_zooms()[:3], rtol=1e-3)
        assert abs(np.linalg.det(affine[:3, :3])) >= 0.5 * length.prod() > 1e-6
    assert len({"".join(nib.aff2axcodes(affine)) for affine in affines}) == 1
    slope = float(header["scl_slope"])
    assert slope == 0 or np.isnan(slope) or 1e-6 <= abs(slope) <= 1e6


def test_every_mutant_is_refused_or_agrees_in_itself(tmp_path, brain, make_nifti, full, figure):
    rng, count = np.random.default_rng(0), 10_000 if full else 400
    original = make_nifti(brain, np.diag([-0.9, 1.1, 1.2, 1]), scl_slope=2.0, scl_inter=1.0)
    refused = 0
    for number in range(count):
        ending, data = DAMAGES[number % len(DAMAGES)](rng, original)
        path = tmp_path / f"a{ending}"
        path.write_bytes(data)
        message = check(path)[str(path)]
        refused += message is not None
        if message is None:
            _check_what_was_accepted(path)
        else:
            assert message.startswith(f"{path}: expected ")
    assert 0.4 < refused / count < 0.95
    figure(f"{count} mutants: {refused} refused, {count - refused} agree in themselves, 0 other errors")
