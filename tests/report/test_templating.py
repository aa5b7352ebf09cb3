from __future__ import annotations

import math

import jinja2
import pytest

from monai_advdefense.report.templating import page_template


def test_a_name_that_is_not_given_is_an_error_and_text_is_escaped():
    environment = page_template("limits.html.j2").environment
    with pytest.raises(jinja2.UndefinedError):
        environment.from_string("{{ missing }}").render()
    assert environment.from_string("{{ text }}").render(text="<b>&") == "&lt;b&gt;&amp;"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.000"), (-12.34567, "\N{MINUS SIGN}12.35"), (math.nan, "not a number"), (math.inf, "not a number")],
)
def test_numbers_have_four_digits(value, text):
    assert page_template("limits.html.j2").environment.filters["number"](value) == text
