import pytest

from monai_advdefense.dicom.character_sets import is_known, writable_sets

pytest.importorskip("pydicom")
pytest.importorskip("highdicom")


@pytest.mark.parametrize(
    ("sets", "written"),
    [
        ("ISO_IR 100", "ISO_IR 100"),
        ("GB18030", "GB18030"),
        (["ISO 2022 IR 13", "ISO 2022 IR 87"], ["ISO 2022 IR 13", "ISO 2022 IR 87"]),
        (["", "ISO 2022 IR 87", "ISO 2022 IR 159"], ["ISO 2022 IR 6", "ISO 2022 IR 87", "ISO 2022 IR 159"]),
        # Valid, but refused by highdicom.
        (["", "ISO 2022 IR 149"], "ISO_IR 192"),
        (["", "ISO 2022 IR 58"], "ISO_IR 192"),
        # Not valid, but seen.
        (None, "ISO_IR 192"),
        ("ISO 2022 IR 87", "ISO_IR 192"),
        (["ISO 2022 IR 87", "ISO 2022 IR 6"], "ISO_IR 192"),
        (["ISO_IR 100", "ISO 2022 IR 87"], "ISO_IR 192"),
        ("ISO_IR 6", "ISO_IR 192"),
    ],
)
def test_names_are_those_that_highdicom_takes(sets, written):
    from highdicom import SOPClass
    from pydicom.uid import MRImageStorage

    assert writable_sets(sets) == written
    taken = SOPClass(*["1.2.3"] * 2, 1, "1.2.4", MRImageStorage, 1, "MR", specific_character_set=written)
    assert taken.SpecificCharacterSet == written


@pytest.mark.parametrize(
    ("sets", "known"), [(None, True), ("ISO_IR 6", True), (["", "ISO 2022 IR 149"], True), (["", "KSC5601"], False)]
)
def test_whether_texts_are_decoded_without_a_guess(sets, known):
    assert is_known(sets) is known
