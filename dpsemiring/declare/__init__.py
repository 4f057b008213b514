"""The declaration: steps, boundaries and parameters of an alignment, as frozen data. No arithmetic on arrays."""
