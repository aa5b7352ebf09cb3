import pytest

from monai_advdefense.bundle_tools.config_expression import GLOBALS, expression_problems, imported_names, is_target


def _problems(text, names=GLOBALS, *, target=False):
    return list(expression_problems(text, names, target))


@pytest.mark.parametrize(
    "text",
    [
        "torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "[*@slice_size[:@slice_dim], -1, *@slice_size[@slice_dim:]]",
        "lambda x: x.max(dim=0).values",
        "@network.to(@device)",
        "{key: len(value) for key, value in @cases.items()}",
    ],
)
def test_what_computes_is_no_problem(text):
    assert _problems(text) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("torch.load(@path)", "torch.load"),
        ("monai.utils.misc.os.system('x')", "monai.utils.misc.os.system"),
        ("eval('1')", "the function eval"),
        ("(lambda: 0).__globals__", "the private name __globals__"),
        ("[f for f in @a][0]('x')", "a call of something that is computed"),
        ("import subprocess", "the import of subprocess"),
        ("while True: pass", "a statement"),
        ("1 +", "which cannot be read"),
    ],
)
def test_what_does_more_is_named(text, named):
    assert any(named in problem for problem in _problems(text))


def test_an_import_gives_a_name_its_meaning():
    names = imported_names("$import os.path as path")
    assert names == {"path": "os.path"}
    assert _problems("path.join('a', 'b')", names) == []
    assert imported_names("$from shutil import rmtree as tidy") == {"tidy": "shutil.rmtree"}
    assert _problems("tidy('a')", {"tidy": "shutil.rmtree"}) == ["a call of tidy of \"tidy('a')\""]
    assert imported_names("$not ( python") == {}


def test_a_target_is_a_part_of_an_allowed_package():
    assert is_target("monai.networks.nets.UNet")
    assert is_target("BasicUNet")
    assert not is_target("os.system")
    assert not is_target("download_url")
    assert not is_target("monai.data.utils.os.system")


def test_an_expression_for_a_target_chooses_among_some_that_stand_in_it():
    assert _problems("'UNet' if @small else 'monai.networks.nets.SegResNet'", target=True) == []
    assert len(_problems("'os.system' if @small else 'UNet'", target=True)) == 1
    assert len(_problems("@name", target=True)) == 1
