import pytest

from monai_advdefense.transforms.each_key import EachKey


class _Scaled(EachKey):
    def further_arguments(self, data):
        return (data["factor"],)


def test_what_is_under_each_key_is_replaced_and_the_input_left_as_it_is():
    data = {"a": 1, "b": 2, "c": 3}
    assert EachKey(("a", "c"), lambda value: -value)(data) == {"a": -1, "b": 2, "c": -3}
    assert data == {"a": 1, "b": 2, "c": 3}


def test_the_transform_takes_further_values_of_the_data():
    assert _Scaled("a", lambda value, factor: value * factor)({"a": 2, "factor": 5})["a"] == 10


def test_a_missing_key_is_an_error_unless_it_is_allowed():
    with pytest.raises(KeyError, match="b"):
        EachKey(("a", "b"), str)({"a": 1})
    assert EachKey(("a", "b"), str, allow_missing_keys=True)({"a": 1}) == {"a": "1"}
