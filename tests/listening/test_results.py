"""What a made-up panel with known preferences comes to, and which files are refused."""

import dataclasses
import json
from itertools import product

import numpy as np
import pytest
from listened import made
from panels import CAREFUL, CARELESS, TRUE, choices, ratings, webmushra, write
from scipy.stats import rankdata, wilcoxon

from tapezoo.cli import main
from tapezoo.listening.design import read_test
from tapezoo.listening.errors import ResultsError
from tapezoo.listening.results import ALL, evaluate
from tapezoo.listening.significance import rank_correlation, signed_rank_p


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A test of every kind."""
    folder = tmp_path_factory.mktemp("tests")
    for kind in ("mushra", "abx", "dmos"):
        made(folder / kind, kind, excerpts=4)
    return folder


@pytest.fixture(scope="module")
def mushra(folders):
    return read_test(folders / "mushra")


@pytest.fixture(scope="module")
def abx(folders):
    return read_test(folders / "abx")


def panel(test, folder, listeners=(*CAREFUL, CARELESS)):
    return [write(folder / f"{name}.csv", ratings(test, name)) for name in listeners]


def reversed_scale(trial):
    """With a metric that grows with quality as LSD falls."""
    heard = [
        dataclasses.replace(one, heard={**one.heard, "mushra": 100 - one.heard["lsd"]})
        for one in trial.stimuli
    ]
    return dataclasses.replace(trial, stimuli=heard)


def test_a_panel_with_known_preferences_is_recovered_and_its_careless_listener_left_out(mushra, tmp_path):
    results = evaluate(mushra, panel(mushra, tmp_path))
    assert results.listeners == sorted(CAREFUL)
    assert "rated the hidden reference below 90 in" in results.excluded[CARELESS]
    overall = {one.system: one for one in results.scores if one.trial == ALL}
    assert list(overall) == sorted(TRUE, key=TRUE.get, reverse=True)
    for name, true in TRUE.items():
        if name != "reference":
            assert overall[name].low < true < overall[name].high, name
            assert overall[name].median == pytest.approx(true, abs=4)
    assert overall["reference"].mean == 100
    assert len(results.scores) == 6 * (1 + len(mushra.trials))
    pairs = {(one.first, one.second): one for one in results.differences}
    good = pairs["good", "middling"]
    assert good.mean == pytest.approx(23, abs=4)
    assert good.p == pytest.approx(2 / 2 ** len(CAREFUL))
    assert good.p_holm == pytest.approx(6 * good.p)
    assert not any("anchor" in name for pair in pairs for name in pair)
    lsd = next(one for one in results.agreements if one.metric == "lsd")
    assert lsd.systems > 0.4
    assert lsd.with_anchors > 0.6
    assert lsd.sounds == 12
    better = dataclasses.replace(mushra, trials=[reversed_scale(trial) for trial in mushra.trials])
    told = {one.metric: one for one in evaluate(better, panel(mushra, tmp_path)).agreements}
    assert told["mushra"].systems == pytest.approx(lsd.systems), "a metric that is better when it is higher"


def test_listeners_who_hear_no_anchor_are_left_out_unless_many_hear_none(mushra, tmp_path):
    def deaf(name, passages):
        rows = ratings(mushra, name)
        heard = [
            one.id for trial in mushra.trials[:passages] for one in trial.stimuli if one.system == "anchor70"
        ]
        changed = [{**row, "rating": 95} if row["stimulus"] in heard else row for row in rows]
        return write(tmp_path / f"{name}.csv", changed)

    careful = [write(tmp_path / f"{name}.csv", ratings(mushra, name)) for name in CAREFUL[1:]]
    results = evaluate(mushra, [deaf("Ann", 1), *careful])
    assert results.excluded == {"Ann": "rated the 7 kHz anchor above 90 in 1 of 4 passages"}
    many = [deaf(name, 1) for name in CAREFUL[:3]]
    assert evaluate(mushra, [*many, *careful[2:]]).excluded == {}


def test_whoever_stopped_before_the_end_is_left_out(mushra, tmp_path):
    files = panel(mushra, tmp_path, CAREFUL[:3])
    rows = ratings(mushra, "Early")[:-6]
    results = evaluate(mushra, [*files, write(tmp_path / "early.csv", rows)])
    assert results.excluded == {"Early": "answered 18 of 24"}
    with pytest.raises(ResultsError, match="no listener who counts: Early answered 18 of 24"):
        evaluate(mushra, [tmp_path / "early.csv"])


@pytest.mark.parametrize("kind", ["mushra", "abx", "dmos"])
def test_webmushra_and_the_page_give_the_same_results(kind, folders, tmp_path):
    test = read_test(folders / kind)
    by_name = {
        name: choices(test, name, lambda system, draw: draw.random() < 0.7)
        if kind == "abx"
        else ratings(test, name)
        for name in CAREFUL
    }
    own = [write(tmp_path / f"{name}.csv", rows) for name, rows in by_name.items()]
    theirs = webmushra(test, [row for rows in by_name.values() for row in rows], tmp_path / "webmushra.csv")
    assert evaluate(test, [theirs]).as_json() == evaluate(test, own).as_json()


def test_webmushra_without_the_question_for_a_name_tells_listeners_by_their_session(mushra, tmp_path):
    files = []
    for name in CAREFUL[:2]:
        file = webmushra(mushra, ratings(mushra, name), tmp_path / f"{name}.csv")
        text = file.read_text(encoding="utf-8").replace("listener", "age", 1).replace("u1", f"session {name}")
        file.write_text(text, encoding="utf-8")
        files.append(file)
    assert evaluate(mushra, files).listeners == ["session Ann", "session Ben"]


def test_guessers_are_not_taken_for_ears_and_a_perfect_listener_is(abx, tmp_path):
    guessers = []
    for name in CAREFUL:
        rows = choices(abx, name, lambda system, draw: draw.random() < 0.5)
        guessers.append(write(tmp_path / f"{name}.csv", rows))
    results = evaluate(abx, guessers)
    assert [one.system for one in results.discriminations] == [*abx.systems, ALL]
    assert all(one.p > 0.05 and one.low < 0.5 < one.high for one in results.discriminations)
    assert results.discriminations[-1].asked == 8 * 3 * 4 * 2
    perfect = write(tmp_path / "perfect.csv", choices(abx, "perfect", lambda system, draw: True))
    for one in evaluate(abx, [perfect]).discriminations:
        assert one.right == one.asked
        assert one.p == pytest.approx(0.5**one.asked)
    rows = choices(abx, "only", lambda system, draw: system == "linear" or draw.random() < 0.4)
    only = write(tmp_path / "only.csv", rows)
    found = {one.system: one for one in evaluate(abx, [only]).discriminations}
    assert found["linear"].p == pytest.approx(0.5**8)
    assert found["linear"].p_holm == pytest.approx(3 * 0.5**8)
    assert found["good"].p > 0.05


def test_degradations_are_ordered_as_they_are_heard(folders, tmp_path):
    test = read_test(folders / "dmos")
    results = evaluate(test, panel(test, tmp_path, CAREFUL))
    overall = {one.system: one for one in results.scores if one.trial == ALL}
    assert list(overall) == ["reference", "good", "middling", "linear"]
    assert overall["reference"].mean == 5
    assert 2 < overall["linear"].mean < 4


def change(**own):
    return lambda rows: [{**row, **own} for row in rows]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (change(test="bcdfghjklmnp"), r"answers to the test 'bcdfghjklmnp' in line 2; expected [b-t]{12}"),
        (change(version="2"), "answers of version '2' in line 2; expected version 1"),
        (change(kind="dmos"), "answers of a 'dmos' test"),
        (change(rating="120"), "the rating 120, outside of 0 to 100"),
        (change(rating=""), "no answer in line 2"),
        (change(listener=" "), "no name of a listener"),
        (change(trial="bbbb"), "the passage 'bbbb', which the test does not have"),
        (change(stimulus="bbbb"), "the sound 'bbbb', which that passage does not have"),
        (lambda rows: [*rows, rows[-1]], "an answer of 'Ann' that is twice in it"),
        (lambda rows: [], "found no answers"),
    ],
)
def test_answers_that_do_not_belong_to_the_test_are_refused_with_their_line(spoil, words, mushra, tmp_path):
    file = write(tmp_path / "ann.csv", spoil(ratings(mushra, "Ann")))
    with pytest.raises(ResultsError, match=words) as caught:
        evaluate(mushra, [file])
    assert caught.value.subject == str(file)


def test_files_of_another_kind_are_refused(mushra, abx, tmp_path):
    others = tmp_path / "others.csv"
    others.write_text("a,b\r\n1,2\r\n")
    with pytest.raises(ResultsError, match="columns 'a, b'; expected answers: what the page saved"):
        evaluate(mushra, [others])
    pairs = webmushra(abx, choices(abx, "Ann", lambda system, draw: True), tmp_path / "pairs.csv")
    with pytest.raises(ResultsError, match=r"webMUSHRA for another kind of test; expected its mushra\.csv"):
        evaluate(mushra, [pairs])
    with pytest.raises(
        ResultsError, match=r"answers to the test 'tapezoo-abx-.*' in line 2; expected tapezoo-abx-b"
    ):
        evaluate(dataclasses.replace(abx, id="bbb"), [pairs])
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("binary.csv", "gone.csv"):
        with pytest.raises(ResultsError, match="a file that cannot be read"):
            evaluate(mushra, [tmp_path / name])
    twice = panel(mushra, tmp_path, ["Ann"])
    with pytest.raises(ResultsError, match=r"an answer of 'Ann' that is also in .*Ann\.csv"):
        evaluate(mushra, [*twice, write(tmp_path / "copy.csv", ratings(mushra, "Ann"))])


def test_a_file_that_a_spreadsheet_saved_is_read(mushra, tmp_path):
    file = write(tmp_path / "ann.csv", ratings(mushra, "Ann"))
    wanted = evaluate(mushra, [file]).as_json()
    file.write_text("\ufeff" + file.read_text(encoding="utf-8").replace(",", ";"), encoding="utf-8")
    assert evaluate(mushra, [file]).as_json() == wanted


def test_the_verb_shows_tables_and_writes_a_folder(folders, mushra, abx, tmp_path, capsys):
    files = [str(path) for path in panel(mushra, tmp_path)]
    out = tmp_path / "results"
    assert main(["listen-results", str(folders / "mushra"), *files, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    for words in (
        *("8 listeners, ratings 0 to 100", "hidden reference", "7 kHz anchor", "p (Holm)"),
        *("left out: Zoe, who rated the hidden", "Which metric agrees with the ears", "with the"),
    ):
        assert words in said
    document = json.loads((out / "results.json").read_text())
    assert document["excluded"].keys() == {"Zoe"}
    lines = (out / "results.csv").read_text().splitlines()
    assert len(lines) == 1 + 6 * 5
    assert {path.name for path in out.iterdir()} == {"results.json", "results.csv", "results.png"}
    assert main(["listen-results", str(folders / "mushra"), *files, "--out", str(out)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    file = write(tmp_path / "abx.csv", choices(abx, "Ann", lambda system, draw: True))
    assert main(["listen-results", str(folders / "abx"), str(file), "--out", str(tmp_path / "right")]) == 0
    said = capsys.readouterr().out
    assert "8 of 8" in said
    assert "< .001" in said
    assert main(["listen-results", str(tmp_path), str(file)]) == 2
    assert "no test.json" in capsys.readouterr().err


def test_a_rank_correlation_needs_four_pairs_and_differences():
    assert rank_correlation([1, 2, 3, 5], [2, 3, 4, 9]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [2, 3, 4]) is None
    assert rank_correlation([1, 1, 1, 1], [2, 3, 4, 5]) is None


def test_the_signed_rank_test_is_exact_with_ties_and_without():
    plain = np.array([1.5, -0.5, 2.0, 3.0, -0.2, 4.0, 5.0])
    assert signed_rank_p(plain) == pytest.approx(wilcoxon(plain, method="exact").pvalue)
    tied = np.array([1.0, -1.0, 2.0, 2.0, -2.0, 3.0, 0.0, 3.0])
    apart = tied[tied != 0]
    ranks = rankdata(np.abs(apart))
    sums = [
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign)
        for signs in product((0, 1), repeat=7)
    ]
    found = ranks[apart > 0].sum()
    wanted = 2 * min(np.mean(np.array(sums) >= found), np.mean(np.array(sums) <= found))
    assert signed_rank_p(tied) == pytest.approx(wanted)
    assert signed_rank_p(np.zeros(5)) == 1
    assert signed_rank_p(np.arange(1.0, 41.0)) == pytest.approx(2 / 2**40)


def test_an_empty_file_is_named_as_one(mushra, tmp_path):
    (tmp_path / "empty.csv").write_text("\n")
    with pytest.raises(ResultsError, match=r"empty.csv: found an empty file; expected answers"):
        evaluate(mushra, [tmp_path / "empty.csv"])
