from __future__ import annotations

import pytest

from monai_advdefense.attacks import standard_attacks
from monai_advdefense.commands import names
from monai_advdefense.commands.main import main
from monai_advdefense.corruptions import CORRUPTIONS
from monai_advdefense.transforms.dag_attack import TARGETS


def test_the_names_are_those_that_there_are():
    assert list(standard_attacks()) == list(names.ATTACKS)
    assert list(CORRUPTIONS) == list(names.CORRUPTIONS)
    assert names.TARGETS == TARGETS


@pytest.mark.parametrize(
    ("verb", "listed"), [("attack", names.TARGETS), ("robustness", (*names.ATTACKS, *names.CORRUPTIONS))]
)
def test_help_lists_them(verb, listed, capsys):
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert [name for name in listed if name not in text] == []
