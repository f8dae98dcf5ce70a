"""Recipe for Ebb's models: sounds in a folder -> trained nets -> a model folder that Ebb opens."""
