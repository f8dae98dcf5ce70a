# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests of the recipe. Sounds and nets are so small that a CPU needs about a minute."""
