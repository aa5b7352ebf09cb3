import pytest

from monai_advdefense.errors import InputError
from monai_advdefense.messages import broken_rule, one_line, reason


@pytest.mark.parametrize("name", ["a\nb.nii", "a\r\tb.nii", "a\x1b[31m.nii", "a\u2028b.nii", "a\udc80.nii"])
def test_whatever_a_name_holds_a_message_is_one_printable_line(name):
    message = str(broken_rule(name, "x", "y", "z"))
    assert message.isprintable()
    assert message.splitlines() == [message]
    message.encode("utf-8")


def test_letters_of_any_language_are_kept():
    assert one_line("Gehirn_脳 größer.nii") == "Gehirn_脳 größer.nii"


def test_a_message_names_file_rule_finding_and_remedy():
    error = broken_rule("a.nii", "a rule", "a finding", "a remedy")
    assert isinstance(error, InputError)
    assert [part in str(error) for part in ("a.nii", "a rule", "a finding", "a remedy")] == [True] * 4


def test_a_silent_exception_is_named_by_its_type():
    assert reason(EOFError()) == "EOFError"
    assert reason(ValueError("two\nlines")) == "two lines"
