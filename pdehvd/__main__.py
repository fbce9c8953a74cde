"""`python -m pdehvd` is the command `pdehvd`."""

import sys

from pdehvd.cli import main

if __name__ == "__main__":
    sys.exit(main())
