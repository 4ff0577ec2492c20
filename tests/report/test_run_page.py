"""The page of a run: one file with everything in it, that plays in a browser."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tapezoo.bundle import BundleError, find_bundle
from tapezoo.cli import main
from tapezoo.errors import TapezooError
from tapezoo.report.figures import new_figure, write_png
from tapezoo.report.html.run_page import write_run_page
from tapezoo.report.summary import Summary, read_summary, write_summary

RATE = 16000
EXCERPTS = (
    "files,recording,kind,start_s,end_s,validation_from_s,validation_to_s,validation_esr\r\n"
    "a_typical,a <b>.wav,typical,2,2.5,2,2.5,0.0125\r\n"
)
SUMMARY = Summary(
    "a, LSTM-1",
    "LSTM",
    "a <b>.wav",
    "8 updates: all 2 epochs are done",
    {"validation": (0.01, 0.05), "test": (0.2, 0.1), "none": (None, None)},
    "steady: no figure is near its limit",
    ["record <more> with `tapezoo excitation`"],
    "tapezoo fit --config lstm",
    ["a <b>.wav: clipped"],
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    report = tmp_path / "report"
    report.mkdir()
    time_s = np.arange(RATE // 2) / RATE
    for name, level in (("input", 0.5), ("target", 1.3), ("output", 1.2)):
        tone = (level * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)
        soundfile.write(report / f"a_typical_{name}.wav", tone, RATE, subtype="FLOAT")
    (report / "excerpts.csv").write_text(EXCERPTS)
    (report / "test_clips.csv").write_text("clip,test_esr\r\na <b>,0.2\r\n")
    (report / "steadiness.csv").write_text("part,level_db,limit_db\r\noutput in silence,-118,-80\r\n")
    (tmp_path / "config.yaml").write_text("model: <LSTM>\n")
    figure = new_figure(2, 1)
    figure.subplots().plot([0, 1])
    write_png(figure, report / "learning_curve.png")
    write_summary(SUMMARY, report)
    return tmp_path


def test_the_page_holds_everything_and_links_nothing(run: Path) -> None:
    page = write_run_page(run).read_text()
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert (
        "ESR <b>0.01000</b>, 5.0 times better than the best linear filter (7.0 dB), which reaches 0.05000"
        in page
    )
    assert "ESR <b>0.20000</b>, worse than the best linear filter" in page
    assert page.count("<img ") == 1
    for text in (
        "a &lt;b&gt;",
        "record &lt;more&gt; with <code>tapezoo excitation</code>",
        "model: &lt;LSTM&gt;",
        "tapezoo fit --config lstm",
    ):
        assert text in page
    assert "a <b>" not in page, "what others named is no markup"
    assert "<h2>The recordings</h2>" in page
    assert "<th>clip</th>" in page
    for head in ('<th class="number">level (dB)</th>', '<th class="number">steady below (dB)</th>'):
        assert head in page


def test_what_is_no_run_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run / "gone")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert main(["report", str(run)]) == 2
    assert (
        "found no run, data set or measurement; expected the folder of a training" in capsys.readouterr().err
    )
    (run / "best.ckpt").touch()
    assert main(["report", str(run / "best.ckpt")]) == 0
    with pytest.raises(
        BundleError, match=r"folder of a training; expected a bundle\. Make one first: tapezoo export"
    ):
        find_bundle(run)


def test_signals_keep_their_levels_among_each_other_and_do_not_clip(run: Path) -> None:
    page = write_run_page(run).read_text()
    packed = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page)[1])
    played = {name: soundfile.read(io.BytesIO(base64.b64decode(data)))[0] for name, data in packed.items()}
    peaks = {name: float(np.abs(signal).max()) for name, signal in played.items()}
    assert peaks["target"] == pytest.approx(0.98, abs=0.001)
    assert peaks["output"] / peaks["target"] == pytest.approx(1.2 / 1.3, abs=0.001)
    assert f"played {20 * np.log10(1.3 / 0.98):.1f} dB quieter" in page


def test_a_summary_is_read_as_it_was_written_and_its_absence_is_named(run: Path) -> None:
    assert read_summary(run / "report") == SUMMARY
    (run / "report" / "summary.json").write_text("{}")
    with pytest.raises(TapezooError, match="no summary of a training"):
        write_run_page(run)


def test_sounds_that_are_gone_are_named_with_their_place_and_the_figures_stay(run: Path) -> None:
    assert "no room for a second one" in write_run_page(run).read_text()
    for name in ("input", "output"):
        (run / "report" / f"a_typical_{name}.wav").unlink()
    page = write_run_page(run).read_text()
    assert (
        f"Not heard: of a_typical_input.wav, a_typical_target.wav, a_typical_output.wav, not even two are in {run}"
        in page
    )
    assert "ESR <b>0.01000</b>" in page
    assert page.count("<img ") == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("start_s", "begin_s"), "excerpts.csv: found None in the column 'start_s'"),
        (("0.0125", "low"), "'low' in the column 'validation_esr', which is no number"),
        (("files,recording", "files,take"), "no column 'recording'"),
    ],
)
def test_a_table_of_passages_that_was_edited_is_refused_with_the_column(run: Path, change, said: str) -> None:
    (run / "report" / "excerpts.csv").write_text(EXCERPTS.replace(*change))
    with pytest.raises(TapezooError, match=said):
        write_run_page(run)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"title": 3}, "3 in 'title', which is not text"),
        ({"advice": "record"}, "'record' in 'advice', which is no list"),
        ({"warnings": [3]}, r"3 in 'warnings\[0\]'"),
        ({"steadiness": None}, "None in 'steadiness'"),
        ({"figures": {"test": ["low", None]}}, r"\['low', None\] in 'figures.test'"),
        ({"figures": {"test": [1]}}, r"\[1\] in 'figures.test'"),
    ],
)
def test_a_summary_that_was_edited_is_refused_with_the_field(run: Path, change, said: str) -> None:
    path = run / "report" / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(TapezooError, match=said):
        write_run_page(run)


WATCH = """
      addEventListener("error", (event) => { document.body.dataset.error = event.message; });
      addEventListener("unhandledrejection", (event) => { document.body.dataset.error = String(event.reason); });
"""


def seen_in_chromium(page: Path, script: str) -> list[object]:
    """Runs `script` in the page, without a network, and returns what it pushed to `seen`."""
    tried = page.with_name("tried.html")
    whole = f"""<script>{WATCH}(async () => {{
        const seen = [];
        {script}
        document.body.dataset.seen = JSON.stringify(seen);
      }})();</script></body>"""
    tried.write_text(page.read_text().replace("</body>", whole))
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--timeout=8000", "--dump-dom"]
    command += ["--autoplay-policy=no-user-gesture-required", "--host-resolver-rules=MAP * ~NOTFOUND"]
    done = subprocess.run([*command, tried.as_uri()], capture_output=True, text=True, timeout=60)
    assert "data-error" not in done.stdout
    found: list[object] = json.loads(re.search(r'data-seen="(.*?)"', done.stdout)[1].replace("&quot;", '"'))
    return found


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_it_loads_plays_and_switches_without_a_network(run: Path) -> None:
    seen = seen_in_chromium(
        write_run_page(run),
        """
        const player = players[0];
        await player.loaded;
        seen.push(player.buffers.difference.getChannelData(0).reduce((most, x) => Math.max(most, Math.abs(x)), 0));
        await player.toggle();
        seen.push(player.root.dataset.playing);
        player.choose("output");
        seen.push(player.root.dataset.heard, player.level("output"), player.level("target"));
        player.toggleBlind();
        seen.push([...player.root.querySelectorAll("[data-signal]")].map((each) => each.textContent).sort().join());
        player.toggleBlind();
        await player.seek(0.5);
        seen.push(player.offset > 0.2, player.switches.target.textContent);
        player.stop();
        seen.push(player.root.dataset.playing);
    """,
    )
    scale = 0.98 / 1.3
    assert seen[0] == pytest.approx(0.1 * scale, abs=0.001)
    assert seen[1:] == ["true", "output", 1, 0, "A,B,Difference,Input", True, "Target", "false"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_two_signals_have_no_difference_and_a_spectrogram_shows_the_tone(run: Path) -> None:
    (run / "report" / "a_typical_output.wav").unlink()
    names, pair, loudest_hz, quiet_db = seen_in_chromium(
        write_run_page(run),
        """
        const player = players[0];
        await player.loaded;
        player.toggleBlind();
        seen.push(player.names, player.pair);
        const height = 240, levels = spectrogram(player.buffers.target.getChannelData(0), player.rate, 3, height);
        const middle = levels.slice(height, 2 * height), most = Math.max(...middle);
        const at = Math.log(player.rate / 2 / LOWEST_HZ) / height * (middle.indexOf(most) + 0.5);
        seen.push(LOWEST_HZ * Math.exp(at), middle[height - 1] - most);
    """,
    )
    assert names == pair == ["input", "target"]
    assert loudest_hz == pytest.approx(440, rel=0.03)
    assert quiet_db < -80
