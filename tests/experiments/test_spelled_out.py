from experiments.spelled_out import spelled_out

CONFIG = {
    "size": [2, 3],
    "axis": 1,
    "folder": "data",
    "pad": {"_target_": "Pad", "to": "$[*@size[:@axis], -1]", "from": "@size"},
    "load": {"_target_": "Load", "path": "@folder"},
    "all": {"_target_": "Compose", "transforms": ["@load", "@pad", "@part#dataset"]},
}


def test_what_a_part_refers_to_stands_in_it():
    assert spelled_out(CONFIG, CONFIG["all"]) == {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Load", "path": "@folder"},
            {"_target_": "Pad", "to": "$[*[2, 3][:1], -1]", "from": [2, 3]},
            "@part#dataset",
        ],
    }


def test_another_value_far_away_makes_another_part_and_a_path_does_not():
    assert spelled_out({**CONFIG, "size": [2, 4]}, CONFIG["all"]) != spelled_out(CONFIG, CONFIG["all"])
    assert spelled_out({**CONFIG, "folder": "elsewhere"}, CONFIG["all"]) == spelled_out(CONFIG, CONFIG["all"])
