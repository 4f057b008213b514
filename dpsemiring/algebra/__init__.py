"""The algebra: expressions, semirings as plain functions, their derivatives and laws. Knows nothing of alignment."""
