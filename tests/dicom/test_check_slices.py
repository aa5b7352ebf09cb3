from __future__ import annotations

import pytest

from monai_advdefense.dicom.read_series import read_series
from monai_advdefense.errors import InputError


def _read(folder):
    return read_series(sorted(folder.iterdir()), name=folder.name)


def _set(tag, value, only=2):
    def change(header, index):
        if only is None or index == only:
            setattr(header, tag, value)

    return change


def _as_text(tag, value):
    """Bytes as a damaged file or a careless program has them."""

    def change(header, index):
        from pydicom.dataelem import RawDataElement
        from pydicom.tag import Tag

        if index == 2:
            header._dict[Tag(tag)] = RawDataElement(Tag(tag), "DS", len(value), value, 0, False, True)

    return change


def _other_size(header, index):
    if index == 2:
        header.Rows, header.PixelData = 3, header.PixelData[: 3 * 7 * 2]


def _cut(header, index):
    if index == 2:
        header.PixelData = header.PixelData[:40]


def _shifted(header, index):
    x, y, z = header.ImagePositionPatient
    header.ImagePositionPatient = [x + 0.3 * index, y, z]


def _without_place(header, index):
    del header.ImagePositionPatient


def _undecodable(header, index):
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGLosslessSV1

    header.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    header.PixelData = encapsulate([header.PixelData])
    header["PixelData"].VR = "OB"


def _no_image(header, index):
    for tag in ("PixelData", "Rows", "Columns"):
        delattr(header, tag)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("PhotometricInterpretation", "MONOCHROME1", None), "expected an image in MONOCHROME2, found MONOCHROME1"),
        (_set("PresentationLUTShape", "INVERSE"), "expected an image in MONOCHROME2, .*INVERSE"),
        (_set("ImageOrientationPatient", [0, 1, 0, 0, 0, -1]), "expected slices of one orientation, found another one"),
        (_set("FrameOfReferenceUID", "1.2.3"), "expected slices with one FrameOfReferenceUID, found 1.2.3 in"),
        (_set("PixelSpacing", [1.0, 1.5]), "expected slices with one PixelSpacing"),
        (_other_size, "expected slices with one Rows, found 3 in"),
        (
            _set("ImagePositionPatient", [-12.5, 30.25, 7.75]),
            "expected one slice at each position, found .* at the same",
        ),
        (_shifted, "expected slices right behind each other, found a shift of 1.2 mm"),
        (_set("ImagePositionPatient", [1.0, 2.0]), "expected 3 numbers as ImagePositionPatient, found .*1.0, 2.0"),
        (_set("ImageOrientationPatient", [1.0, 0, 0], None), "expected 6 numbers as ImageOrientationPatient"),
        (_set("PixelSpacing", [1.5]), "expected 2 numbers as PixelSpacing"),
        (_as_text("ImagePositionPatient", rb"a\2\3 "), "expected 3 numbers as ImagePositionPatient, found .*'a'"),
        (_as_text("ImagePositionPatient", rb"nan\2\3 "), "expected 3 numbers as ImagePositionPatient, found .*nan"),
        (_set("FrameOfReferenceUID", "", None), r"expected a place in the patient \(FrameOfReferenceUID\), found none"),
        (_without_place, r"expected a place in the patient \(ImagePositionPatient\), found none"),
        (_undecodable, "expected voxels that an installed decoder reads, found the transfer syntax JPEG Lossless"),
        (_no_image, "expected an image, found MR Image Storage without pixels: leave it out"),
        (_cut, "expected voxels as the header says"),
    ],
)
def test_what_is_no_volume_is_refused_by_name(change, message, make_series):
    with pytest.raises(InputError, match=message) as raised:
        _read(make_series(change=change))
    assert len(str(raised.value).splitlines()) == 1


def test_a_missing_slice_is_refused_with_its_neighbours(make_series):
    with pytest.raises(InputError, match=r"expected slices every 2 mm, found 4 mm between .*dcm and .*dcm: are slices"):
        _read(make_series(skip=[2]))


def test_one_slice_is_no_volume(make_series):
    with pytest.raises(InputError, match="expected a volume of two slices or more, found 1"):
        _read(make_series(skip=[0, 1, 2, 3]))
