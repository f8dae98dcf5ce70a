# SPDX-License-Identifier: LGPL-2.1-or-later
"""python -m recipe.selftest [PART...]: runs the whole recipe on made-up sounds, or some parts of the tests,
in a minute or two on a CPU.
"""

import sys
import tempfile
from pathlib import Path

from . import (
    check_data,
    check_distill,
    check_export,
    check_maths,
    check_measure,
    check_parcel,
    check_train,
    check_words,
)
from .base import result


PARTS = dict(
    maths=check_maths,
    data=check_data,
    train=check_train,
    export=check_export,
    distill=check_distill,
    parcel=check_parcel,
    words=check_words,
    measure=check_measure,
)


def main(names):
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.exit(f"selftest: there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in names or PARTS:
            PARTS[name].run(root)
    return result()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
