"""python -m recipe.selftest: the whole recipe on made-up sounds, in about a minute on a CPU."""

import sys
import tempfile
from pathlib import Path

from . import check_data, check_export, check_maths, check_parcel, check_train
from .base import result


def main():
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for part in (check_maths, check_data, check_train, check_export, check_parcel):
            part.run(root)
    return result()


if __name__ == "__main__":
    sys.exit(main())
