import pytest

from monai_advdefense.errors import InputError
from monai_advdefense.runs.shard import Shard


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_the_shards_share_out_every_item_once_and_evenly(count):
    items = [f"{number}.nii" for number in range(7)]
    shares = [Shard(index, count).share(items) for index in range(1, count + 1)]
    assert sorted(item for share in shares for item in share) == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_what_a_shard_prints_is_what_it_is_read_from():
    assert Shard.parse(" 3 / 12 ") == Shard(3, 12)
    assert str(Shard.parse("3/12")) == "3/12"


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "a/b", "-1/2", "1/0", ""])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(InputError, match="^shard: expected I/N with I from 1 to N, found .*: give each run"):
        Shard.parse(text)
