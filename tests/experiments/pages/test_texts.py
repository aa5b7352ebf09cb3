from __future__ import annotations

from experiments.pages.texts import texts_beside


def test_words_lie_beside_the_module_of_their_page(tmp_path):
    (tmp_path / "texts.toml").write_text('introduction = "Zwölf Bände."\n[words]\nscore = "s"\n', encoding="utf-8")
    assert texts_beside(str(tmp_path / "page.py")) == {"introduction": "Zwölf Bände.", "words": {"score": "s"}}
