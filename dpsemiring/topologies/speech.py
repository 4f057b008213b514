"""Alignment of frames with labels: CTC and its relatives, transducers, hidden Markov models."""

from __future__ import annotations

from itertools import pairwise

from dpsemiring.declare.boundary import Boundary, End, Start
from dpsemiring.declare.param import Param
from dpsemiring.declare.step import Step, Term
from dpsemiring.declare.topology import Topology
from dpsemiring.declare.window import Window


def ctc() -> Topology:
    """Connectionist temporal classification, on a target with a blank before, between and after its labels.

    Rows are frames, columns the ``2 U + 1`` entries of the extended target, which the call passes as the integer
    parameter ``labels``; the cost of a cell is the negative log-probability of its label in its frame,
    ``-dp.costs.gather(log_probs, labels)``. A blank may be skipped between labels that differ.

    Notes
    -----
    The extended target of ``labels`` is ``extended = np.full(2 * len(labels) + 1, blank); extended[1::2] = labels``.
    An empty target has the one entry blank. A target that does not fit into the frames has no path: total +inf,
    gradient 0. The gradient is that of the log-likelihood in the log-probabilities as given, so it sums to -1 over
    each frame. A label equal to the blank is for the caller to refuse: here it would be one more blank.

    Source: Graves et al., ICML 2006.

    >>> print(ctc())
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        cost[n, m]   at [0, 1]
        D[n-1, m] + cost[n, m]
        D[n-1, m-1] + cost[n, m]
        D[n-1, m-2] + cost[n, m]   where labels[b, m] != labels[b, m-2]
    total = sum of
        D[N-1, M-1]
        D[N-1, M-2]
    """
    skip = Param("labels", axes="bm").differs(-2)
    steps = [Step(1, 0), Step(1, 1), Step(1, 2, where=skip)]
    return Topology(steps, Boundary([Start(0, 0), Start(0, 1)], [End(-1, -1), End(-1, -2)]))


def ctc_durations(least: int = 1, most: int | None = None) -> Topology:
    """CTC in which every label lasts for `least` to `most` frames each time that it is written; blanks last as they like.

    Rows are frames, columns the U labels. Two planes of negative log-probabilities: ``cost`` (T, U), that of each label
    in each frame, and ``blank`` (T, U + 1), that of the blank before each label and after the last. The integer
    parameter ``labels`` (U + 1; the last entry is not used) tells where a label is repeated, so that a blank must stand
    between. ``lengths`` are those of T and U; U may be 0.

    Parameters
    ----------
    least : int
        Frames that a label lasts at least, >= 1.
    most : int, optional
        Frames that it lasts at most, >= least; by default without limit.

    Notes
    -----
    State ``blank`` of column m is the blank before label m, state ``label{i}`` the i-th frame of label m in a row; without
    `most` the last of them repeats. ``ctc_durations()`` sums over the same paths as `ctc`, on half the columns.

    Source: Graves et al., ICML 2006; durations by chains of states: Rabiner, Proc. IEEE 77, 1989, section IV.D, and the
    expanded states of Russell and Cook, ICASSP 1987.

    >>> print(ctc_durations(least=2))
    D_blank[n, m] = sum of
        blank[n, m]   at [0, 0]
        D_blank[n-1, m] + blank[n, m]
        D_label2[n-1, m-1] + blank[n, m]
    D_label1[n, m] = sum of
        cost[n, m]   at [0, 0]
        D_blank[n-1, m] + cost[n, m]
        D_label2[n-1, m-1] + cost[n, m]   where labels[b, m] != labels[b, m-1]
    D_label2[n, m] = sum of
        D_label1[n-1, m] + cost[n, m]
        D_label2[n-1, m] + cost[n, m]
    total = sum of
        D_blank[N-1, M]
        D_label2[N-1, M-1]
    """
    chain = least if most is None else most
    if not all(isinstance(d, int) for d in (least, chain)) or not 1 <= least <= chain:
        raise ValueError(f"ctc_durations: least and most are whole numbers, 1 <= least <= most, found {least!r} and {most!r}")
    blank, label, differs = (Term("blank"),), (Term("cost"),), Param("labels", axes="bm").differs(-1)
    states = [f"label{i}" for i in range(1, chain + 1)]
    done = states[least - 1 :]  # in these a label may end
    stays = [("blank", "blank", blank), ("blank", "label1", label), *((a, b, label) for a, b in pairwise(states))]
    if most is None:
        stays.append((states[-1], states[-1], label))
    steps = [Step(1, 0, terms=paid, source=a, target=b) for a, b, paid in stays]
    steps += [Step(1, 1, terms=blank, source=s, target="blank") for s in done]
    steps += [Step(1, 1, terms=label, source=s, target="label1", where=differs) for s in done]
    starts = [Start(terms=blank, state="blank"), Start(terms=label, state="label1")]
    ends = [End(state="blank"), *(End(-1, -2, state=s) for s in done)]
    return Topology(steps, Boundary(starts, ends), states=["blank", *states], extra=(0, 1))


def ctc_wildcard() -> Topology:
    """CTC with a wildcard before the target and after it: the target stands somewhere within the frames.

    As `ctc`, on the same extended target, but that it may start and end in any frame: a wildcard matches any number of
    frames, none included, with probability 1. So it is the subsequence of frames that fits, summed over all places.

    Notes
    -----
    Frames beside the labels may be blank or the wildcard's, and count both ways.

    Source: Cai, Yuan and Ma, W-CTC, ICLR 2022 (summed over all ends).

    >>> print(ctc_wildcard())
    D[n, m] = sum of
        cost[n, m]   at [any n, 0]
        cost[n, m]   at [any n, 1]
        D[n-1, m] + cost[n, m]
        D[n-1, m-1] + cost[n, m]
        D[n-1, m-2] + cost[n, m]   where labels[b, m] != labels[b, m-2]
    total = sum of
        D[any n, M-1]
        D[any n, M-2]
    """
    anywhere = Boundary([Start(None, 0), Start(None, 1)], [End(None, -1), End(None, -2)])
    return ctc().replace(boundary=anywhere)


def ctc_without_blank() -> Topology:
    """Alignment of frames with labels in which each label lasts for one frame or more.

    Rows are frames, columns the labels themselves; ``-dp.costs.gather(log_probs, labels)`` is the cost. Also the
    left-to-right hidden Markov model of forced alignment, its transitions being free.

    Source: Graves et al., ICML 2006, without the blank; Rabiner, Proc. IEEE 77, 1989 (left-right models).

    >>> print(ctc_without_blank())
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-1, m] + cost[n, m]
        D[n-1, m-1] + cost[n, m]
    total = sum of
        D[N-1, M-1]
    """
    return Topology([Step(1, 0), Step(1, 1)])


def asg() -> Topology:
    """Auto segmentation criterion: no blank, and transitions that pay; the fully connected normaliser is `hmm`.

    Rows are frames, columns labels, of which neighbours differ (a repeated label is written as a symbol of its own).
    The params ``stay[b, m]``, of the label at column m to itself, and ``advance[b, m]``, from the label before to that
    at m (entry 0 is not used), are added as they stand, as is the cost.

    Notes
    -----
    The loss is ``log Z - log of the target's score``: over scores (a semiring of log sum exp), with the (V, V) table
    ``transition`` from label to label and the (T, V) ``emission``,

    - the target: ``asg()`` on ``dp.costs.gather(emission, labels)`` with ``stay = transition[labels, labels]``,
      ``advance = transition[np.roll(labels, 1), labels]``;
    - the normaliser: ``hmm(V)`` on ``emission`` with ``transition`` and ``initial = np.zeros(V)``;

    the loss's gradient in ``transition`` is the normaliser's ``grad("transition")`` less what
    ``np.add.at(out, (labels, labels), target.grad("stay"))`` and
    ``np.add.at(out, (np.roll(labels, 1), labels), target.grad("advance"))`` collect: a declaration does not look an
    entry up by label. Over costs pass negated numbers; the loss is then the target's total less the normaliser's.

    Source: Collobert, Puhrsch and Synnaeve, Wav2Letter, arXiv 1609.03193, 2016, section 2.3.

    >>> print(asg())
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-1, m] + cost[n, m] + stay[b, m]
        D[n-1, m-1] + cost[n, m] + advance[b, m]
    total = sum of
        D[N-1, M-1]
    """
    stay, advance = Param("stay", axes="bm"), Param("advance", axes="bm")
    return Topology([Step(1, 0, penalty=stay), Step(1, 1, penalty=advance)])


def transducer(monotonic: bool = False) -> Topology:
    """The transducer of Graves (RNN-T): cell (t, u) stands for t frames read and u labels written.

    Two planes of negative log-probabilities, each paid at the cell that is left: ``label`` (T, U), where entry (t, u)
    is that of writing label u + 1; ``blank`` (T, U + 1). U may be 0. ``lengths`` are those of T and U.

    Parameters
    ----------
    monotonic : bool
        If true, a label moves to the next frame too, so that each frame writes one label or a blank. The lattice then
        has a row more, for what is left after the last frame.

    Notes
    -----
    ``log_probs`` (T, U + 1, V) and U labels give ``blank = -log_probs[..., 0]`` (for the blank 0) and
    ``label = -log_probs[:, np.arange(U), labels]``.
    The size of the lattice is that of ``label``: beside a ``label`` padded to (T, U + 1), a ``blank`` of that shape has
    no entry at the end, and the total is +inf.

    Source: Graves, arXiv 1211.3711, 2012, section 2.4; monotonic: Tripathi et al., ASRU 2019 (also the "modified"
    transducer of k2).

    >>> print(transducer())
    D[n, m] = sum of
        one   at [0, 0]
        D[n, m-1] + label[n, m-1]
        D[n-1, m] + blank[n-1, m]
    total = sum of
        D[N-1, M] + blank[n, m]

    >>> print(transducer(monotonic=True))
    D[n, m] = sum of
        one   at [0, 0]
        D[n-1, m-1] + label[n-1, m-1]
        D[n-1, m] + blank[n-1, m]
    total = sum of
        D[N, M]
    """
    blank = Step(1, 0, terms=[Term("blank", (-1, 0))])
    if monotonic:
        steps = [Step(1, 1, terms=[Term("label", (-1, -1))]), blank]
        return Topology(steps, Boundary(Start(terms=())), extra=(1, 1))
    steps = [Step(0, 1, terms=[Term("label", (0, -1))]), blank]
    return Topology(steps, Boundary(Start(terms=()), End(terms=[Term("blank")])), extra=(0, 1))


def hmm(K: int) -> Topology:
    """A hidden Markov model of K fully connected states, with learnable transitions.

    Rows are time. The cost is (T, K): entry (t, k) that of observation t in state k. The param ``transition`` (K, K)
    is paid from state i to state j, ``initial`` (K,) at the start; all are added as they stand: negative log-
    probabilities over costs, log-probabilities over scores. States are named ``s0``, ``s1``, ...; the total over
    log-probabilities is the forward algorithm's log-likelihood, a hard minimum's path that of Viterbi.

    Parameters
    ----------
    K : int
        Number of states, >= 1.

    Notes
    -----
    The window leaves column 0 of the lattice alone, its K states being those of the model; read
    ``result.path_states`` for the path, and ``marginals``, shaped (T, K), for the posterior of each state. A state whose
    column the cost lacks does not exist; columns beyond K are not read.

    Source: Rabiner, Proc. IEEE 77, 1989, eq. 19 to 21 and 32 to 35.

    >>> print(hmm(2))
    D_s0[n, m] = sum of
        cost[n, m] + initial[0]   at [0, 0]
        D_s0[n-1, m] + cost[n, m] + transition[0, 0]
        D_s1[n-1, m] + cost[n, m] + transition[1, 0]
    D_s1[n, m] = sum of
        cost[n, m+1] + initial[1]   at [0, 0]
        D_s0[n-1, m] + cost[n, m+1] + transition[0, 1]
        D_s1[n-1, m] + cost[n, m+1] + transition[1, 1]
    total = sum of
        D_s0[N-1, 0]
        D_s1[N-1, 0]
    window: 0 <= m < 1
    """
    if isinstance(K, bool) or not isinstance(K, int) or K < 1:
        raise ValueError(f"hmm: K, the number of states, is a whole number >= 1, found {K!r}")
    initial, transition = Param("initial", shape=(K,)), Param("transition", shape=(K, K))
    states = [f"s{k}" for k in range(K)]
    emission = [(Term("cost", (0, k)),) for k in range(K)]
    steps = [
        Step(1, 0, terms=emission[j], penalty=transition[i, j], source=states[i], target=states[j])
        for j in range(K)
        for i in range(K)
    ]
    starts = [Start(0, 0, terms=emission[k], penalty=initial[k], state=states[k]) for k in range(K)]
    return Topology(steps, Boundary(starts, End(-1, 0)), Window.ranges(0, 1), states)
