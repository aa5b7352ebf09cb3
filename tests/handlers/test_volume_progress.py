from __future__ import annotations

import io
import re
import sys

from ignite.engine import Engine, Events

from monai_advdefense.handlers.volume_progress import VolumeProgress
from monai_advdefense.runs.run_log import RunLog


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def _run(printed="wrote"):
    """Five volumes: the first is already there, the third fails, the others go through the network."""
    log = RunLog()
    log.expected = 5

    def volumes():
        for number in range(5):
            log.attempt(str(number))
            if number == 0:
                log.skip("0")
            elif number == 2:
                log.fail("2", "2: why")
            else:
                yield number

    engine = Engine(lambda engine, batch: batch)
    VolumeProgress(log).attach(engine)
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: print(printed, file=sys.stderr))
    engine.run(volumes())


def test_the_bar_counts_all_volumes_and_makes_room_for_lines(monkeypatch):
    # Not in a fixture: pytest sets sys.stderr after those.
    monkeypatch.setattr(sys, "stderr", terminal := _Terminal())
    _run()
    text = terminal.getvalue()
    assert re.findall(r"(\d)/5 \[", text) == ["0", "1", "3", "4"]  # tqdm shows a new bar at once
    # What stands on a line of the terminal when it ends.
    lines = [re.split(r"\r", line)[-1] for line in text.split("\n")]
    assert lines == ["wrote", "failed: 2: why", "wrote", "wrote", ""]


def test_what_was_there_takes_no_part_in_the_time_left():
    log = RunLog()
    log.expected, log.attempted, log.already_there = 10, [str(n) for n in range(7)], [str(n) for n in range(4)]
    progress = VolumeProgress(log)
    progress.show()
    facts = progress._bar.format_dict
    assert facts["n"] - facts["initial"] == 2  # two were computed, the third is running
    progress.close()


def test_without_a_terminal_there_is_no_bar(capsys):
    _run()
    assert capsys.readouterr().err.splitlines() == ["wrote", "failed: 2: why", "wrote", "wrote"]
