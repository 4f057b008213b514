"""The compiler: declaration and semiring to recurrence, adjoint, schedule and text. No arrays pass through here."""
