"""Files built byte by byte, so that tests can say things that a library would refuse to write."""

from __future__ import annotations

import socket

import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header


@pytest.fixture
def brain():
    """A small volume with distinct voxels inside and zeros around."""
    array = np.zeros((6, 7, 8), np.int16)
    array[1:-1, 1:-1, 1:-1] = np.arange(1, 4 * 5 * 6 + 1).reshape(4, 5, 6)
    return array


@pytest.fixture
def make_header():
    def make(shape=(6, 7, 8), dtype="int16", affine=None, *, version=1, order="<", **fields):
        header = {1: Nifti1Header, 2: Nifti2Header}[version](endianness=order)
        header.set_data_dtype(np.dtype(dtype).newbyteorder(order))
        header.set_data_shape(shape)
        affine = np.eye(4) if affine is None else affine
        header.set_qform(affine, "scanner")
        header.set_sform(affine, "scanner")
        header.set_xyzt_units("mm", "sec")
        header["magic"] = header.single_magic
        header["vox_offset"] = header.single_vox_offset
        for name, value in fields.items():
            header[name] = value
        return header

    return make


@pytest.fixture
def make_nifti(make_header):
    """Header with any fields set, four bytes that say "no extension", voxels in Fortran order."""

    def make(array, affine=None, *, shape=None, version=1, order="<", **fields):
        header = make_header(shape or array.shape, array.dtype, affine, version=version, order=order, **fields)
        voxels = array.astype(array.dtype.newbyteorder(order)).tobytes(order="F")
        return header.binaryblock + bytes(4) + voxels

    return make


@pytest.fixture(scope="session")
def template():
    """The brain template, read while no connection can be opened."""
    from monai_advdefense.data import template_anatomy

    pytest.importorskip("nilearn")

    def refuse(*arguments, **options):
        raise AssertionError("network access")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        template_anatomy.load_template.cache_clear()
        return template_anatomy.load_template()
