"""Where the results of a run belong, and what they may replace."""

from __future__ import annotations

import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from ignite.engine import Engine, Events

from monai_advdefense.errors import OutputError
from monai_advdefense.messages import broken_rule, one_line
from monai_advdefense.nifti_names import nifti_stem

__all__ = ["Outputs"]

_TICK_NS = 2 * 10**9


class Outputs:
    """The folder of a run's results, which mirrors that of its inputs.

    Two inputs never share a result: folders are mirrored, and of the inputs in one folder whose names differ in the
    ending alone (``a.nii.gz``, ``a.nii``, ``a.NII``) the first of this order gives the results ``a_...``, the
    others ``a.nii_...`` and ``a.NII_...``. Results of an earlier run are replaced, inputs never.

    Args:
        dataset_dir: folder of the inputs, or the one input file.
        output_dir: folder of the results.

    Example:
        >>> Outputs("/data", "/out").path("/data/site1/a.nii.gz", "scores", ".csv").as_posix()
        '/out/site1/a_scores.csv'
    """

    def __init__(self, dataset_dir: str | os.PathLike[str], output_dir: str | os.PathLike[str]) -> None:
        self.dataset_dir = dataset_dir
        self.output_dir = Path(output_dir)
        self._claimed: set[Path] = set()
        self._asked: dict[str, set[Path]] = {}
        self._listed: dict[Path, tuple[int, dict[str, list[str]]]] = {}

    def attach(self, engine: Engine) -> None:
        """Let a run that cannot write end before anything is computed; what writes attaches this as well."""
        if not engine.has_event_handler(self.prepare, Events.STARTED):
            engine.add_event_handler(Events.STARTED, self.prepare)

    def prepare(self) -> None:
        """Make the folder, and write a file there that has no name.

        Raises:
            OutputError: if the folder cannot be made or written.
        """
        self._claimed.clear()
        self._asked.clear()
        try:
            self.output_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.output_dir):
                pass
        except OSError as error:
            found = f"{error.strerror or error} for {self.output_dir}"
            remedy = "choose another folder, or check free space and permissions"
            raise broken_rule("output_dir", "a folder that can be written", found, remedy, error=OutputError) from error

    def path(self, source: str | os.PathLike[str], postfix: str, suffix: str) -> Path:
        """Where a result of an input belongs: the input's path below ``dataset_dir``, mirrored below ``output_dir``.

        Args:
            source: path of the input volume.
            postfix: what is appended to the name, after an underscore.
            suffix: file ending of the result, such as ``.csv``.

        Raises:
            InputError: if the input does not lie in ``dataset_dir``, or the result would lie beside the input.
        """
        path, folder = Path(os.path.abspath(source)), Path(os.path.abspath(self.dataset_dir))
        if folder == path:
            folder = path.parent
        if folder not in path.parents:
            path, folder = path.resolve(), folder.resolve()  # the same folder by way of a link
        if folder not in path.parents:
            remedy = "set dataset_dir to a folder that holds all inputs"
            raise broken_rule(path, f"an input below {folder}", "it elsewhere", remedy)
        folder_of_result = Path(os.path.abspath(self.output_dir)) / path.relative_to(folder).parent
        target = folder_of_result / f"{self._name_of_result(path)}_{postfix}{suffix}"
        # Also by way of links.
        if os.path.realpath(target.parent) == os.path.realpath(path.parent):
            # Beside the inputs, "a_seg.nii.gz" may well be somebody's manual segmentation, or the next input.
            raise broken_rule(target, "results away from the inputs", "one folder", "change output_dir")
        self._asked.setdefault(str(source), set()).add(target)
        return target

    def claim(self, source: str | os.PathLike[str], postfix: str, suffix: str) -> Path:
        """The path of a result, for one input of the run.

        Raises:
            InputError: as :meth:`path`.
            OutputError: if another input has it.
        """
        target = self.path(source, postfix, suffix)
        if target in self._claimed:
            raise broken_rule(target, "one input per result", "two", "rename one of the inputs", error=OutputError)
        self._claimed.add(target)
        return target

    def results(self, source: str | os.PathLike[str]) -> list[Path]:
        """Results of an input that are there: those whose path this run has asked for."""
        return sorted(path for path in self._asked.get(str(source), ()) if path.is_file())

    @staticmethod
    def remove(*paths: Path) -> None:
        """Remove results of an earlier run, which must not stand beside newer ones.

        Raises:
            OutputError: if the system refuses.
        """
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                remedy = "check its permissions, or choose another output_dir"
                raise broken_rule(path, "to write here", error.strerror, remedy, error=OutputError) from error

    def name(self, source: str | os.PathLike[str]) -> str:
        """What to call an input: its path below ``dataset_dir``, or as it is."""
        path, folder = Path(os.path.abspath(source)), Path(os.path.abspath(self.dataset_dir))
        if path == folder:
            return one_line(path.name)
        return one_line(path.relative_to(folder).as_posix() if folder in path.parents else source)

    def below(self, path: str | os.PathLike[str]) -> str:
        """Path of a result below ``output_dir``, for a link."""
        return Path(os.path.relpath(path, self.output_dir)).as_posix()

    def _name_of_result(self, source: Path) -> str:
        """The input's name, without its ending if no other input has a better claim to that."""
        stem = nifti_stem(source.name)
        names = [source.name, *self._by_stem(source.parent).get(stem, ())]
        first = min(names, key=lambda name: (name != f"{stem}.nii.gz", name != f"{stem}.nii", name))
        # A stem that still ends like a volume is the full name of another input.
        return stem if source.name == first and nifti_stem(stem) == stem else source.name

    def _by_stem(self, folder: Path) -> dict[str, list[str]]:
        """Names of the volumes in a folder of inputs by their stem; listed once for all, and anew if it has changed."""
        try:
            changed = folder.stat().st_mtime_ns
            listed = self._listed.get(folder)
            if listed is not None and listed[0] == changed:
                return listed[1]
            found: dict[str, list[str]] = defaultdict(list)
            for name in os.listdir(folder):
                if (stem := nifti_stem(name)) != name:
                    found[stem].append(name)
        except OSError:
            return {}
        # A change within the same tick of the clock would not show.
        if time.time_ns() - changed > _TICK_NS:
            self._listed[folder] = changed, found
        return found
