# SPDX-License-Identifier: LGPL-2.1-or-later
"""Says in TAP which claims about the sources hold."""

import sys


def report(claims):
    """`claims`: pairs of a claim and the lines that speak against it. Exits with 1 if there are any."""
    print(f"1..{len(claims)}")
    for i, (claim, wrong) in enumerate(claims, 1):
        for line in wrong:
            print("# " + line)
        print(f"{'not ok' if wrong else 'ok'} {i} - {claim}")
    sys.exit(any(wrong for _, wrong in claims))
