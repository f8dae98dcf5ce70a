"""Recipe for Ebb's models: sounds in a folder -> trained nets -> a model folder that Ebb opens."""

import diffusers

diffusers.utils.logging.set_verbosity_error()  # it advises on things that do not concern us
