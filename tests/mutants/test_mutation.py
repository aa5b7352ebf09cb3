from __future__ import annotations

from collections import Counter

import pytest

from mutants.mutation import ROOT, Mutation, mutations

EVERY = mutations()


def _name(mutation):
    return f"{mutation.file}: {mutation.name}"


@pytest.mark.parametrize("mutation", EVERY, ids=_name)
def test_a_listed_mutation_changes_its_file_into_other_python(mutation):
    source = (ROOT / mutation.file).read_text(encoding="utf-8")
    mutated = mutation.apply(source)
    assert mutated != source
    compile(mutated, mutation.file, "exec")
    assert all((ROOT / test).is_file() for test in mutation.tests)


def test_the_list_is_long_enough_and_names_no_mutation_twice():
    assert len(EVERY) >= 60
    assert max(Counter(map(_name, EVERY)).values()) == 1


def test_a_text_that_is_not_there_once_is_refused():
    with pytest.raises(ValueError, match=r"a\.py: expected 'x' once, found it 2 times: mend mutants/mutations\.toml"):
        Mutation("a.py", "none", "x", "y", ()).apply("x = x")
