"""`make bench`: runs every benchmark, or those whose names are given."""

import importlib
import sys

from bot import logs

NAMES = ["pictures", "legibility", "request", "arrival", "store", "thread", "slack", "discord"]


def main() -> None:
    """Runs the benchmarks one after the other."""
    logs.configure(quiet=True)
    for name in sys.argv[1:] or NAMES:
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
