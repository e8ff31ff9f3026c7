"""``python -m threatray``."""

import sys

from threatray.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
