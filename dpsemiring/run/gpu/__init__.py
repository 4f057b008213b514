"""Engines on a GPU. CuPy is imported in this room alone, and only once a GPU is asked for."""
