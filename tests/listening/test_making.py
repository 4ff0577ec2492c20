"""What listeners hear: passages, loudness, anchors, ids that say nothing, and what is refused."""

import json
import re

import numpy as np
import pytest
import soundfile
import yaml
from export.nets import arguments, lstm
from listened import RATE_HZ, SYSTEMS, made, recordings, system
from scipy import signal as scipy_signal

from tapezoo.controls import ControlError
from tapezoo.export import export_bundle
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.listening.anchors import LOW_HZ, MID_HZ, anchor, low_pass
from tapezoo.listening.design import check_count, is_test, read_test
from tapezoo.listening.errors import ListeningError
from tapezoo.listening.excerpts import choose_excerpts, settled
from tapezoo.listening.make import make_test, page_room
from tapezoo.listening.page import MOST_BYTES, check_page_size
from tapezoo.listening.systems import held_at, system_of_bundle
from tapezoo.loudness import loudness
from tapezoo.measure.playing import play


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tests") / "mushra"
    made(folder)
    return folder


@pytest.fixture(scope="module")
def test(folder):
    return read_test(folder)


def sound(folder, name):
    samples, rate = soundfile.read(folder / "stimuli" / f"{name}.wav")
    assert rate == RATE_HZ
    return samples


@pytest.mark.parametrize("cutoff_hz", [LOW_HZ, MID_HZ])
@pytest.mark.parametrize("rate_hz", [22050, 44100, 96000])
def test_an_anchor_keeps_the_limits_of_the_standard(cutoff_hz, rate_hz):
    taps = low_pass(cutoff_hz, rate_hz)
    at_hz, response = scipy_signal.freqz(taps, worN=1 << 15, fs=rate_hz)
    gain_db = 20 * np.log10(np.maximum(np.abs(response), 1e-9))
    scale = cutoff_hz / 3500
    assert np.abs(gain_db[at_hz <= cutoff_hz]).max() < 0.1
    assert gain_db[at_hz >= 4000 * scale].max() < -25
    assert gain_db[at_hz >= 4500 * scale].max() < -50
    np.testing.assert_allclose(taps, taps[::-1], atol=1e-12, err_msg="not of linear phase")


def test_an_anchor_is_in_step_with_its_reference():
    tone = np.sin(2 * np.pi * 1000 / RATE_HZ * np.arange(RATE_HZ))
    made_of = anchor(tone, LOW_HZ, RATE_HZ)
    np.testing.assert_allclose(made_of[1000:-1000], tone[1000:-1000], atol=2e-3)


def test_a_rate_at_which_an_anchor_would_be_the_reference_is_refused():
    with pytest.raises(ListeningError, match=r"16000 Hz; expected 16001 Hz.*--kind abx"):
        low_pass(MID_HZ, 16000)


def test_all_sounds_of_a_trial_are_as_loud_as_the_reference_and_none_clips(folder, test):
    for trial in test.trials:
        wanted = loudness(sound(folder, trial.reference), RATE_HZ)
        assert {one.system for one in trial.stimuli} == {
            "good", "middling", "linear", "reference", "anchor35", "anchor70",
        }  # fmt: skip
        for one in trial.stimuli:
            heard = sound(folder, one.id)
            assert loudness(heard, RATE_HZ) == pytest.approx(wanted, abs=0.1), one.system
            assert np.abs(heard).max() < 0.9
            assert np.abs(heard[:3]).max() < 0.01, "no fade"
    assert min(trial.gain_db for trial in test.trials) < 0, "nothing here would have clipped"


def test_metrics_are_those_of_the_sound_as_the_model_made_it_and_as_it_is_heard(test):
    by_name = {one.system: one for one in test.trials[0].stimuli}
    assert by_name["reference"].metrics["esr"] == 0
    assert by_name["good"].gain_db == pytest.approx(20 * np.log10(1.3 / 0.5), abs=0.3)
    assert by_name["good"].metrics["esr"] == pytest.approx((1 - 0.5 / 1.3) ** 2, abs=0.02)
    assert by_name["good"].heard["esr"] < 0.01
    assert "mushra" not in by_name["good"].heard, "of half a second it cannot judge"
    assert by_name["anchor35"].heard["lsd"] > by_name["good"].heard["lsd"]


def test_nothing_in_the_page_says_what_is_what(folder, test):
    page = (folder / "listen.html").read_text(encoding="utf-8")
    without_sounds = re.sub(r'<script type="text/plain".*?</script>', "", page)
    for name in ("good", "middling", "linear", "anchor35", "anchor70", "best.ckpt", "take 0"):
        assert name not in re.sub(r"<script>.*?</script>", "", without_sounds, flags=re.DOTALL), name
    ids = [one.id for trial in test.trials for one in trial.stimuli]
    assert len(set(ids)) == len(ids)
    sounds = re.findall(r'id="sound-(\w+)"', page)
    assert sounds == sorted([*ids, *(trial.reference for trial in test.trials)])
    told = json.loads(re.search(r'id="test">(.*?)</script>', page)[1])
    assert all(trial["stimuli"] == sorted(trial["stimuli"]) for trial in told["trials"])
    assert all(re.fullmatch("[b-t]{10}", one) for one in ids)
    ranks = [
        sorted(one.id for one in t.stimuli).index(r.id)
        for t in test.trials
        for r in t.stimuli
        if r.role == "reference"
    ]
    assert len(set(ranks)) > 1, "the hidden reference always comes at the same place"
    assert not re.search(r'(?:src|href)="(?!data:)', page)


def test_the_same_call_makes_the_same_test_and_another_seed_another(folder, test, tmp_path):
    assert made(tmp_path / "again") == test
    assert made(tmp_path / "other", seed=1).id != test.id
    assert is_test(folder)


def test_passages_of_the_same_sound_are_told_apart(tmp_path):
    looped = recordings(1.75)
    passage = looped.passages[0]
    beat = RATE_HZ // 2
    for signal in (passage.input, passage.target):
        signal[:] = np.resize(signal[:beat], len(signal))
    folder = tmp_path / "test"
    folder.mkdir()
    test = make_test(folder, "test", looped, SYSTEMS, "mushra", 2, 0.5, 1, 0)
    ids = [trial.id for trial in test.trials] + [one.id for trial in test.trials for one in trial.stimuli]
    assert len(set(ids)) == len(ids)


def test_passages_are_spread_over_the_recordings_and_hold_sound():
    material = recordings(4.0, 4.0)
    quiet = material.passages[0].target[2 * RATE_HZ :]
    quiet *= 1e-3
    chosen = choose_excerpts(material, 4, 0.5, seed=3)
    assert [one.recording for one in chosen].count("take 1") == 2
    places = [(one.recording, one.start_s) for one in chosen]
    assert len(set(places)) == 4
    assert all(one.start_s < 2 for one in chosen if one.recording == "take 0")
    assert all(one.start_s >= 1 for one in chosen), "outside of the test split"
    first = chosen[0]
    assert first.preroll_samples == min(round(first.start_s * RATE_HZ), 2 * RATE_HZ)
    assert len(first.input) == first.preroll_samples + len(first.target)


def test_too_little_audio_says_what_there_is_room_for():
    with pytest.raises(
        ListeningError,
        match=r"found 1 passage of 2 s .*longest stretch is 3.2 s.*--excerpts 1 or --seconds 1\.",
    ):
        choose_excerpts(recordings(3.25), 3, 2.0, 0)


@pytest.mark.parametrize(
    ("count", "seconds", "wanted"),
    [
        (None, None, (1, 8.0)),
        (None, 2.0, (5, 2.0)),
        (None, 1.0, (6, 1.0)),
        (3, None, (3, 3.5)),
        (None, 12.0, (1, 12.0)),
        (40, None, (40, 1.0)),
        (2, 9.0, (2, 9.0)),
    ],
)
def test_what_was_not_asked_for_by_name_becomes_what_there_is_sound_for(count, seconds, wanted):
    assert settled(recordings(10.75), count, seconds) == wanted


def test_by_default_a_page_gets_no_more_passages_than_it_holds(monkeypatch):
    room = page_room(recordings(4.0), SYSTEMS, "mushra", 0.5, 0)
    assert room > 50
    monkeypatch.setattr("tapezoo.listening.make.MOST_BYTES", MOST_BYTES * 3 / room)
    assert page_room(recordings(4.0), SYSTEMS, "mushra", 0.5, 0) in (2, 3)


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ([system("fast", np.tanh, sample_rate=48000)], "fast: found a model at 48000 Hz; expected 22050 Hz"),
        (
            [system("pedal", np.tanh, dataset_hash="other")],
            "pedal: found a model of the data set other; expected hash",
        ),
        ([system("mute", lambda dry: 0 * dry)], "mute: found silence for take 0"),
        ([system("wild", lambda dry: np.nan * dry)], "wild: found NaN or infinity"),
    ],
)
def test_systems_that_do_not_belong_together_are_refused(others, words, tmp_path):
    with pytest.raises(ListeningError, match=words):
        made(tmp_path / "test", systems=[*SYSTEMS, *others])


def test_a_trial_of_mushra_has_twelve_sounds_at_most():
    check_count("mushra", 9)
    check_count("abx", 20)
    with pytest.raises(ListeningError, match="10 systems; expected at most 9"):
        check_count("mushra", 10)


def test_a_page_of_more_than_forty_megabytes_is_refused_with_what_would_fit():
    check_page_size(MOST_BYTES * 4 // 3, 6, 8.0)
    with pytest.raises(ListeningError, match=r"found 80 MB .*--excerpts 3, or --seconds 4, or fewer systems"):
        check_page_size(2 * MOST_BYTES * 4 // 3, 6, 8.0)


@pytest.mark.parametrize(
    ("kind", "page_type"),
    [("mushra", "mushra"), ("abx", "paired_comparison"), ("dmos", "likert_single_stimulus")],
)
def test_webmushra_gets_the_same_sounds(kind, page_type, tmp_path):
    folder = tmp_path / "mine"
    test = made(folder, kind, excerpts=2)
    document = yaml.safe_load((folder / "webmushra.yaml").read_text(encoding="utf-8"))
    assert document["testId"] == f"tapezoo-{kind}-{test.id}"
    assert [page["type"] for page in document["pages"] if isinstance(page, dict)] == [
        "generic",
        "volume",
        "finish",
    ]
    order, *pages = document["pages"][2]
    assert order == "random"
    assert {page["type"] for page in pages} == {page_type}
    assert len(pages) == (4 if kind == "abx" else 2)
    trial = test.trials[0]
    own = next(page for page in pages if page["id"].startswith(trial.id))
    hidden = [one.id for one in trial.stimuli if one.role == "reference"]
    assert set(own["stimuli"]) == {one.id for one in trial.stimuli} - set(hidden if kind == "mushra" else ())
    for path in own["stimuli"].values():
        assert (folder / "stimuli" / path.removeprefix("configs/mine/stimuli/")).is_file()
    if kind == "dmos":
        assert [one["value"] for one in own["response"]] == [5, 4, 3, 2, 1]
        pair = sound(folder, f"{trial.stimuli[0].id}_pair")
        assert len(pair) == 2 * round(0.5 * RATE_HZ) + round(0.5 * RATE_HZ)


def test_a_folder_that_is_no_test_is_named(tmp_path, folder):
    with pytest.raises(
        ListeningError, match=r"no test.json; expected the folder that `tapezoo listen` wrote"
    ):
        read_test(tmp_path)
    file = tmp_path / "test.json"
    for text, words in (
        ("{", "not a listening test"),
        ('{"format": "other"}', "not a listening test"),
        (
            json.dumps({**json.loads((folder / "test.json").read_text()), "version": 2}),
            "version 2; expected version 1",
        ),
        (json.dumps({**json.loads((folder / "test.json").read_text()), "trials": [{}]}), "parts missing"),
    ):
        file.write_text(text)
        with pytest.raises(ListeningError, match=words):
            read_test(file)


def test_a_net_and_its_bundle_are_heard_alike_at_the_setting_of_the_recording(tmp_path):
    net = lstm(1)
    export_bundle(net, **arguments(net, tmp_path / "bundle"), targets=[OnnxTarget()])
    opened = system_of_bundle(tmp_path / "bundle", "bundle")
    assert (opened.sample_rate, [control.name for control in opened.controls]) == (44100, ["drive"])
    signal = 0.3 * np.random.default_rng(0).standard_normal(3000)
    drive = opened.controls[0].denormalize(0.9)
    [held] = held_at([opened], {"drive": drive})
    np.testing.assert_allclose(held.play(signal, []), opened.play(signal, [0.9]), atol=1e-6)
    with pytest.raises(ControlError, match="no model with a control of this name; expected drive"):
        held_at([opened], {"gain": 1.0})
    for position in (0.2, 0.9):
        np.testing.assert_allclose(
            opened.play(signal, [position]), play(net.eval(), signal[None], [position])[0], atol=1e-5
        )
