import pytest

from monai_advdefense.errors import InputError, OutputError
from monai_advdefense.messages import broken_rule, one_line, reason


@pytest.mark.parametrize("name", ["a\nb.nii", "a\r\tb.nii", "a\x1b[31m.nii", "a\u2028b.nii", "a\udc80.nii"])
def test_whatever_a_name_holds_a_message_is_one_printable_line(name):
    message = str(broken_rule(name, "x", "y", "z"))
    assert message.isprintable()
    assert message.splitlines() == [message]
    message.encode("utf-8")


def test_letters_of_any_language_are_kept():
    assert one_line("Gehirn_脳 größer.nii") == "Gehirn_脳 größer.nii"


def test_a_message_names_subject_rule_finding_and_remedy():
    error = broken_rule("radius", "a number above 0", -1.5, "give a larger one")
    assert type(error) is InputError
    assert str(error) == "radius: expected a number above 0, found -1.5: give a larger one"


def test_the_class_of_an_error_can_be_chosen():
    assert type(broken_rule("a.csv", "x", "y", "z", error=OutputError)) is OutputError


def test_a_silent_exception_is_named_by_its_type():
    assert reason(EOFError()) == "EOFError"
    assert reason(ValueError("two\nlines")) == "two lines"
