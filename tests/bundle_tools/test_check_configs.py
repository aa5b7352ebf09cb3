from __future__ import annotations

import json

import pytest

from monai_advdefense.bundle_tools.check_configs import check_configs
from monai_advdefense.commands.main import main

RULE = "expected a configuration that only builds and runs parts of MONAI, torch and ignite, found "
HOSTILE = {
    "target of the system": {"run": {"_target_": "os.system", "command": "touch canary"}},
    "target of a process": {"run": {"_target_": "subprocess.run", "args": ["touch", "canary"]}},
    "target eval": {"run": {"_target_": "builtins.eval", "source": "1"}},
    "target of pickle": {"net": {"_target_": "pickle.load"}},
    "target torch.load": {"net": {"_target_": "torch.load", "f": "model.pt", "weights_only": False}},
    "target torch.hub": {"net": {"_target_": "torch.hub.load", "repo_or_dir": "x"}},
    "target TorchScript": {"net": {"_target_": "torch.jit.load", "f": "model.ts"}},
    "target C++": {"net": {"_target_": "torch.utils.cpp_extension.load", "name": "x"}},
    "target NumPy's pickles": {"x": {"_target_": "numpy.load", "allow_pickle": True}},
    "target through a module": {"x": {"_target_": "monai.data.utils.os.system"}},
    "target downloads": {"x": {"_target_": "monai.apps.utils.download_and_extract", "url": "x"}},
    "short target downloads": {"x": {"_target_": "download_url", "url": "x"}},
    "target runs a bundle": {"x": {"_target_": "monai.bundle.run"}},
    "target of another package": {"x": {"_target_": "scripts.network.Net"}},
    "target path with a space": {"x": {"_target_": "os .system"}},
    "computed target": {"x": {"_target_": "$'o' + 's.system'"}},
    "chosen target": {"x": {"_target_": "$'os.system' if True else 'DataLoader'"}},
    "target of a reference": {"x": {"_target_": "@y"}, "y": "os.system"},
    "nested target": {"a": [{"b": {"c": {"_target_": "os.remove"}}}]},
    "import os.system": {"imports": ["$from os import system"]},
    "import subprocess": {"imports": ["$import subprocess"]},
    "import of another name": {"imports": ["$import subprocess as np"], "x": "$np.run('x')"},
    "call of os.system": {"imports": ["$import os"], "x": "$os.system('touch canary')"},
    "call of os.popen by another name": {"imports": ["$import os as glob"], "x": "$glob.popen('x')"},
    "environment": {"imports": ["$import os"], "x": "$os.environ['HOME']"},
    "eval": {"x": "$eval('1')"},
    "exec as an argument": {"x": "$list(map(exec, ['1']))"},
    "open": {"x": "$open('canary', 'w').write('')"},
    "import function": {"x": "$__import__('os').system('touch canary')"},
    "getattr": {"x": "$getattr(torch, 'load')('x')"},
    "classes of an object": {"x": "$().__class__.__bases__[0].__subclasses__()"},
    "globals of a function": {"x": "$(lambda: 0).__globals__"},
    "private name": {"x": "$torch._C._cuda_init()"},
    "torch.load": {"x": "$torch.load(@path, weights_only=False)", "path": "a"},
    "numpy.load": {"x": "$np.load('a.npy', allow_pickle=True)"},
    "system through torch": {"x": "$torch.serialization.os.system('x')"},
    "called in a default": {"x": "$lambda a=eval('1'): a"},
    "called through a list": {"x": "$[torch.nn.Linear][0](1, 1)"},
    "debugger": {"x": {"_target_": "DataLoader", "_mode_": "debug"}},
    "macro of another folder": {"x": "%/etc/config.json::x"},
    "macro of the folder above": {"x": "%../../other/config.json::x"},
    "disabled by an expression": {"x": {"_target_": "DataLoader", "_disabled_": "$exec('1')"}},
    "requirement": {"x": {"_target_": "DataLoader", "_requires_": "$exec('1')"}},
    "no Python": {"x": "$import os; ("},
}
HARMLESS = {
    "files": {
        "imports": ["$import glob", "$import os"],
        "x": "$sorted(glob.glob(os.path.join(@d, '*.nii')))",
        "d": "a",
    },
    "device": {"x": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')"},
    "moved": {"x": "$@net.to(@device)", "net": {"_target_": "monai.networks.nets.UNet"}, "device": "cpu"},
    "items": {"x": "$[{'image': i, 'label': l} for i, l in zip(@a, @b)]", "a": [], "b": []},
    "slices of a list": {"x": "$@data[: int(0.8 * len(@data))]", "data": []},
    "learning rate": {"x": "$lambda epoch: (1 - epoch / @epochs) ** 0.9", "epochs": 3},
    "parameters": {"x": {"_target_": "torch.optim.Adam", "params": "$@net.parameters()"}, "net": 1},
    "handler": {"x": {"_target_": "CheckpointLoader", "load_path": "$@dir + '/models/model.pt'"}, "dir": "."},
    "macro": {"x": "%inference.json::preprocessing", "y": "%x"},
    "run": {"run": ["$monai.utils.set_determinism(0)", "$@trainer.run()"], "trainer": 1},
}


@pytest.fixture
def bundle(tmp_path):
    def make(config, name="inference.json"):
        (tmp_path / "configs").mkdir(exist_ok=True)
        (tmp_path / "configs" / "metadata.json").write_text("{}")
        text = config if isinstance(config, str) else json.dumps(config)
        (tmp_path / "configs" / name).write_text(text)
        return tmp_path

    return make


@pytest.mark.parametrize("config", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_configuration_is_named_and_not_run(config, bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = bundle(config)
    found = check_configs(folder)
    assert found.pop(str(folder / "configs" / "metadata.json")) is None
    assert found[str(folder / "configs" / "inference.json")].startswith(f"{folder}/configs/inference.json: {RULE}")
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("config", HARMLESS.values(), ids=HARMLESS)
def test_what_bundles_do_is_not_named(config, bundle):
    assert set(check_configs(bundle(config)).values()) == {None}


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("train.yaml", "a: &a {_target_: os.system}\nb: *a\n", RULE + "the target os.system in a#_target_"),
        ("train.yml", "a: !!python/object/apply:os.system ['touch canary']\n", "that can be read"),
        ("train.json", "{", "that can be read"),
        ("logging.conf", "[handler_a]\nclass=StreamHandler\nargs=(print('x'),)\n", RULE + "args="),
        ("logging.conf", "[handler_a]\nclass=os.system\nargs=()\n", RULE + "class=os.system in handler_a"),
    ],
)
def test_other_files_are_read_as_well(name, text, found, bundle):
    folder = bundle(text, name)
    assert found in check_configs(folder)[str(folder / "configs" / name)]


def test_an_import_counts_for_the_whole_file(bundle):
    assert set(check_configs(bundle(HARMLESS["files"])).values()) == {None}
    named = check_configs(bundle({"x": "$glob.glob('*')", "imports": ["$import os as glob"]}))
    (message,) = filter(None, named.values())
    assert "os.glob" in message


def test_the_command_names_the_configuration(bundle, capsys):
    folder = bundle(HOSTILE["eval"])
    assert main(["check", str(folder)]) == 2
    printed = capsys.readouterr()
    assert f"failed: {folder}/configs/inference.json: {RULE}a call of eval" in printed.out
    assert "1 of 2 inputs can be used" in printed.out
