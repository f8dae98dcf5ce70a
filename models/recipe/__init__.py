# SPDX-License-Identifier: LGPL-2.1-or-later
"""The training recipe: trains networks on a folder of sounds and writes a model folder for Ebb."""

import diffusers

diffusers.utils.logging.set_verbosity_error()  # it advises on things that do not concern us
