"""Exit code 2 and one line for what a user can mend, in ``monai.bundle run``.

Functions and classes of this package raise; none of them ends the process. A configuration that imports this module
sets :func:`excepthook` as that of the process, and keeps tracebacks of such errors out of the logs of MONAI and ignite.
"""

from __future__ import annotations

import sys
from types import TracebackType

from monai_advdefense.errors import own_error
from monai_advdefense.quiet_own_errors import quiet_own_errors

__all__ = ["excepthook"]

_previous = sys.excepthook


def excepthook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """End the process on an error of this package with its message as the last line on stderr; leave others alone.

    Raises:
        SystemExit: with the code of the error, usually 2.
    """
    own = own_error(error)
    if own is None:
        _previous(kind, error, traceback)
        return
    # In a process group torch puts a hook of its own around this one, and drops what it writes to sys.stderr.
    print(f"error: {own}", file=sys.__stderr__, flush=True)
    raise SystemExit(own.exit_code)


sys.excepthook = excepthook
quiet_own_errors()
