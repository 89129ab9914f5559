"""The program `marginflow`: every verb of the command line."""

import sys

from . import _core


def main() -> None:
    """Runs the program on the arguments of this process."""
    sys.exit(_core.main(["marginflow", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
