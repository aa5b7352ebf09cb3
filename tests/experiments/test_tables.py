from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from experiments.tables import quantity_columns, read_facts, read_table, select, write_tables
from monai_advdefense.errors import OutputError
from monai_advdefense.metrics import Resampled

VALUES = np.linspace(0, 1, 101)


def test_columns_of_a_quantity():
    columns = quantity_columns({"auc": Resampled(0.5, VALUES)})
    assert columns == pytest.approx({"auc": 0.5, "auc_low": 0.025, "auc_high": 0.975})


def test_resamples_without_the_quantity_are_counted():
    some = Resampled(0.25, np.where(VALUES > 0.5, np.nan, VALUES))
    assert quantity_columns({"dice": some})["dice_dropped"] == 50
    assert "dice_dropped" not in quantity_columns({"dice": some}, dropped=False)


def test_what_is_not_defined_has_empty_columns(tmp_path):
    row = quantity_columns({"dice": Resampled(np.nan, np.full(3, np.nan))})
    assert list(row) == ["dice", "dice_low", "dice_high"]
    write_tables({"t": pd.DataFrame([{"name": "a", **row}])}, tmp_path)
    assert (tmp_path / "t.csv").read_text() == "name,dice,dice_low,dice_high\na,,,\n"


def test_numbers_have_six_digits_and_whole_ones_no_point(tmp_path):
    rows = [{"name": "a, b", "x": 1 / 3, "n": 3, "pair": np.nan}, {"name": "none", "x": 1.0, "n": 400, "pair": 13}]
    write_tables({"t": pd.DataFrame(rows)}, tmp_path)
    assert (tmp_path / "t.csv").read_text() == 'name,x,n,pair\n"a, b",0.333333,3,\nnone,1,400,13\n'


def test_a_table_comes_back_with_names_of_the_attacks(tmp_path):
    rows = [
        {"form": "dag", "type": "A+B+C", "strength": 1 / 3, "support": "brain", "auc": 0.5},
        {"form": "clean", "type": "", "strength": np.nan, "support": "", "auc": np.nan},
    ]
    write_tables({"t": pd.DataFrame(rows)}, tmp_path)
    table = read_table(tmp_path / "t.csv")
    assert table["attack"].tolist() == ["dag_A+B+C_0.333333_brain", "clean"]
    assert table["type"].tolist() == ["A+B+C", ""]
    assert table["auc"].isna().tolist() == [False, True]
    assert select(table, form="dag", support="brain")["auc"].tolist() == [0.5]
    assert select(table, form="dag", support="whole").empty


def test_none_is_a_name_and_not_a_missing_number(tmp_path):
    write_tables({"t": pd.DataFrame([{"detector": "none", "x": 1.0}])}, tmp_path)
    assert read_table(tmp_path / "t.csv")["detector"].tolist() == ["none"]


def test_facts_stay_text(tmp_path):
    facts = {"seed": "0", "version": "1.10", "command": 'run "it", now', "empty": ""}
    write_tables({"facts": facts}, tmp_path)
    assert read_facts(tmp_path / "facts.csv") == facts


def test_a_table_that_cannot_be_written_leaves_nothing(tmp_path):
    folder = tmp_path / "file"
    folder.write_text("in the way")
    with pytest.raises(OutputError, match="file"):
        write_tables({"t": pd.DataFrame([{"x": 1}])}, folder)
    assert list(tmp_path.iterdir()) == [folder]


def test_rows_are_chosen_by_all_entries_and_keep_their_places():
    table = pd.DataFrame({"form": ["dag", "dag", "xie"], "strength": [1.0, 0.5, 1.0], "n": [1, 2, 3]}, index=[7, 8, 9])
    assert select(table, form="dag", strength=1.0).index.tolist() == [7]
    assert select(table, strength=1.0)["n"].tolist() == [1, 3]
    assert select(table).equals(table)
    assert select(table, form="pgd").empty
    assert select(table.assign(form=np.nan), form="dag").empty
    with pytest.raises(KeyError):
        select(table, support="brain")
