"""Which of a semiring's equivalent carriers a recurrence is run in: the one place where that is decided.

An engine that compiles takes the first of the forms, the reference engine the semiring as it is declared, so that the two
check each other. The semiring as declared also serves whatever reads accumulated values one by one (walks, drawn paths),
second derivatives, derivatives by its own parameters (in float64), and every call whose costs a form does not hold
(`Semiring.limits`), then in float64.
"""

from __future__ import annotations

from dataclasses import replace

from dpsemiring.algebra.semiring import Semiring
from dpsemiring.lower.ir import Recurrence


def compiled_form(semiring: Semiring) -> Semiring:
    """The form in which compiled kernels work."""
    return semiring.forms[0] if semiring.forms else semiring


def over(recurrence: Recurrence, form: Semiring) -> Recurrence:
    """The recurrence over another form of its semiring."""
    return recurrence if form is recurrence.semiring else replace(recurrence, semiring=form)
