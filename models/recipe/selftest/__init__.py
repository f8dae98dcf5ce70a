"""Tests of the recipe, on sounds and nets so small that a CPU is done with them in about a minute."""
