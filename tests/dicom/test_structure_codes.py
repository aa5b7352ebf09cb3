from __future__ import annotations

import json
from pathlib import Path

import pytest

from monai_advdefense.dicom.structure_codes import segment_code

BUNDLE = Path(__file__).parents[2] / "bundles/brain_mri_defended_segmentation"
_METADATA = json.loads((BUNDLE / "configs/metadata.json").read_text(encoding="utf-8"))
NAMES = list(_METADATA["network_data_format"]["outputs"]["pred"]["channel_def"].values())[1:-1]


@pytest.mark.parametrize("name", NAMES)
def test_each_structure_of_the_bundle_has_a_code_of_the_standard(name):
    """Codes and meanings are those of the dictionary that pydicom makes from the standard."""
    codedict = pytest.importorskip("pydicom.sr.codedict")
    code = segment_code(name)
    value, scheme, _ = code.kind
    dictionary = getattr(codedict.codes, scheme)
    assert value in {getattr(dictionary, keyword).value for keyword in _keywords(dictionary, code.kind[2])}
    assert (code.side is not None) == name.startswith(("left ", "right "))


def _keywords(dictionary, meaning):
    words = meaning.split()
    return dictionary.dir("".join(word.capitalize() for word in words))


def test_other_classes_have_codes_of_our_own():
    assert segment_code("left kidney of a foreign network").kind[1] == "99ADVDEFENSE"
    assert len(segment_code("left kidney of a foreign network").kind[0]) <= 16
    assert segment_code("rejected").category[2] == "Spatial and relational concept"
