from monai.bundle import ConfigParser

from monai_advdefense.bundle_tools.current_config import current_config

TARGET = "monai_advdefense.bundle_tools.current_config.current_config"


def test_the_text_of_the_configuration_with_its_overrides():
    parser = ConfigParser({"a": "$1 + 1", "b": {"c": 1}, "config": {"_target_": TARGET}})
    parser["b#c"] = 2
    found = parser.get_parsed_content("config")
    assert (found["a"], found["b"]) == ("$1 + 1", {"c": 2})


def test_of_two_parsers_it_is_the_one_that_builds_the_caller():
    inner = ConfigParser({"name": "inner", "config": {"_target_": TARGET}})
    outer = ConfigParser({"name": "outer", "inner": inner, "built": "$@inner.get_parsed_content('config')"})
    assert outer.get_parsed_content("built")["name"] == "inner"


def test_without_a_parser_it_is_empty():
    assert current_config() == {}
