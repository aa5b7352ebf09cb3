from __future__ import annotations

from monai_advdefense.report.templating import page_template
from monai_advdefense.robustness.clauses import CLAUSES, LIMITS
from monai_advdefense.robustness.page import SECTIONS


def test_clauses_point_to_sections_that_the_page_has():
    assert all(clause["sections"] and set(clause["sections"]) <= SECTIONS.keys() for clause in CLAUSES)
    assert {section for clause in CLAUSES for section in clause["sections"]} == SECTIONS.keys()


def test_every_section_and_list_stands_in_the_template():
    source = page_template("robustness.html.j2").environment.loader.get_source(None, "robustness.html.j2")[0]
    assert all(f'id="{name}"' in source for name in (*SECTIONS, "clauses", "limits"))


def test_limits_are_sentences_and_say_that_the_report_is_no_certification():
    assert all(sentence.endswith(".") for sentence in LIMITS)
    assert "no certification" in LIMITS[0]
