"""The CPU engine: Numba compiles the emitted text, over explicit vectors of lanes."""
