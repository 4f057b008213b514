"""Running: the reference interpreter, the CPU engine, the source cache, inputs in and results out."""
