"""The command ``advdefense``, as ``python -m monai_advdefense``."""

import sys

from monai_advdefense.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
