from __future__ import annotations

import pytest
import torch
from torch import nn

from experiments.certified import __main__ as certified
from experiments.certified import measured
from experiments.certified.__main__ import main, measure_certified
from experiments.tables import read_table


@pytest.fixture
def run(phantoms, bundles, write_weights, tmp_path, monkeypatch):
    """Measures with few passes; the reformer that was trained for the noise makes every image black."""
    guard = write_weights()
    for values in guard.reformer.parameters():
        nn.init.zeros_(values)
    denoiser = bundles / "brain_mri_defended_segmentation" / "models" / "denoiser" / "model.pt"
    denoiser.parent.mkdir()
    torch.save(guard.reformer.state_dict(), denoiser)
    monkeypatch.setattr(certified, "CONDITIONS", ((certified.SHIPPED, 40), (certified.TRAINED, 40)))
    monkeypatch.setattr(certified, "RESAMPLES", 10)
    output, work = tmp_path / "docs" / "certified-results.md", tmp_path / "work"
    return lambda: measure_certified(phantoms, bundles=bundles, work_dir=work, output=output)


def test_a_radius_certifies_fewer_pixels_the_larger_it_is(run):
    page = run()
    table = read_table(page.parent / "results" / "certified.csv")
    assert list(table["passes"]) == [0] + 8 * [40]
    for reformer in (certified.SHIPPED, certified.TRAINED):
        rows = table[(table["reformer"] == reformer) & (table["passes"] > 0)]
        assert list(rows["radius"]) == [0, *certified.RADII]
        for name in ("dice", "dice_together"):
            assert rows[name].is_monotonic_decreasing
        assert rows["abstained"].is_monotonic_increasing
        # 40 votes of 40 prove less than 0.25 at noise of 0.25.
        assert rows["abstained"].iloc[-1] == 1
    facts = read_table(page.parent / "results" / "certified_facts.csv").iloc[0]
    assert (facts["slices"], facts["volumes"]) == (6, 2)
    assert page.read_text(encoding="utf-8").count("| trained for the noise |") == 4


def test_each_condition_is_measured_with_the_reformer_that_it_names(run, monkeypatch):
    black = []

    def certify_slices(guard, slices, **options):
        black.append(all((values == 0).all() for values in guard.reformer.parameters()))
        return measured.certify_slices(guard, slices, **options)

    monkeypatch.setattr(certified, "certify_slices", certify_slices)
    run()
    assert black == [False, True]


def test_missing_weights_are_named(phantoms, bundles, tmp_path, capsys):
    words = ["--dataset_dir", str(phantoms), "--bundles", str(bundles), "--output", str(tmp_path / "docs" / "a.md")]
    with pytest.raises(SystemExit):
        main(words)
    assert "expected the weights of the defended segmenter, found none" in capsys.readouterr().err
    assert not (tmp_path / "docs").exists()
