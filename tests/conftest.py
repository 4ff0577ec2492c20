"""One thread: two test workers on two cores, and losses that do not depend on the machine."""

from __future__ import annotations

import functools
import gc
import importlib
import io
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# numba tries many types where it compiles, and words each refusal
os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")
os.environ.setdefault("TAPEZOO_KERNEL", "numba")  # tests of C++ ask for it: compiling takes seconds

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import pytest
from made_once import asked_once, made_once, session_folder

from tapezoo import registry

if TYPE_CHECKING:
    from tapezoo.bundle import Verification

# heavy imports are inside functions: the process that hands the tests to the workers reads this file as well
gc.disable()  # until everything is collected and frozen: imports leave no garbage

# what else is installed here: tests see it no more than they would elsewhere, only what they install themselves
_installed = registry.installed
STRANGERS = {entry.distribution for entry in _installed()} - {"tapezoo"}


def _without_strangers() -> tuple[registry.Registration, ...]:
    return tuple(entry for entry in _installed() if entry.distribution not in STRANGERS)


# before any test is collected: some are made per registered model
pytest.MonkeyPatch().setattr(registry, "installed", _without_strangers)


SLOW_TIMEOUT_S = 3600.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow by nature may take longer than the limit that ends a test which hangs."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT_S))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Whoever collects gets Lightning as the verbs have it: the rest takes as long again, and few tests ask for it."""
    if getattr(session.config.option, "numprocesses", None) is None:
        from tapezoo.cli.lean import import_lightning

        import_lightning()


def pytest_collection_finish() -> None:
    """What is imported by now stays: walking all of torch for garbage took a tenth of the time of small tests."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # what compiles or reads recipes makes many objects and hardly a cycle
    gc.enable()


class Install(Protocol):
    """What the fixture `install` is."""

    def __call__(
        self,
        distribution: str,
        entries: Mapping[str, Mapping[str, str]],
        requires: Sequence[str] = (),
        **modules: str,
    ) -> None:
        """Leaves behind what an installer does.

        Args:
            distribution: Its name; the version is 1.2.
            entries: The kind of what it registers ("models") -> name -> target, "module:Class".
            requires: Lines of what it depends on, with the extra: "numpy; extra == 'fast'".
            modules: The sources of its modules.
        """


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs throw-away distributions, for one test; what it imported of them is forgotten."""
    written: list[str] = []
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def lay_out(
        distribution: str,
        entries: Mapping[str, Mapping[str, str]],
        requires: Sequence[str] = (),
        **modules: str,
    ) -> None:
        for name, source in modules.items():
            (site / f"{name}.py").write_text(source)
            written.append(name)
        metadata = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        metadata.mkdir()
        needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
        text = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n{needs}"
        (metadata / "METADATA").write_text(text)
        lines = []
        for kind, targets in entries.items():
            lines += [f"[tapezoo.{kind}]", *(f"{name} = {target}" for name, target in targets.items())]
        (metadata / "entry_points.txt").write_text("\n".join(lines))

    yield lay_out
    for name in written:
        sys.modules.pop(name, None)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """The same noise whichever tests ran before: tolerances must not depend on luck."""
    import torch

    # `torch.manual_seed` takes a millisecond more: it keeps a trace of the call for each kind of GPU
    torch.default_generator.manual_seed(0)


@pytest.fixture(autouse=True)
def _private_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's cache or tracking; one cache per session saves rendering again."""
    import torch

    torch.set_num_threads(1)  # a recipe of the test before may have asked for more
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # mlflow itself sets it
    monkeypatch.setenv("TAPEZOO_CACHE", str(session_folder(tmp_path_factory) / "cache"))


# what tests prove about exports does not need the six seconds that an export plays: every kind of block, several of
# each, controls that jump between them
QUICK_EXPORTS = {
    "build.MOST_SAMPLES": 1 << 10,
    "build.MOST_REMAINING_SAMPLES": 1 << 10,
    "golden.BLOCKS_SAMPLES": (1, 64, 333, 512),
    "golden.SINGLE_SAMPLES": 24,
    "cost.MEASURED_SAMPLES": 1 << 8,
    "cost.REPEATS": 1,
}
WHOLE_EXPORTS: dict[str, object] = {}
# of the sounds through a run's best net and its machine, where nobody sees the pictures made of them
SHORT_REPORTS = {
    "callbacks.run_report.BELOW_PEAK_DB": (-24.0, 0.0),
    "callbacks.run_report.HARMONICS_STEP_DB": 36.0,
    "callbacks.run_report.SINE_HZ": 400.0,  # a quarter of the samples
    "measure.harmonics.SETTLE_PERIODS": 10,
    "measure.gain.NOISE_S": 0.7,
    "measure.excerpts.PREROLL_S": 0.05,
}
WHOLE_REPORTS: dict[str, object] = {}
TESTS = Path(__file__).parent


@pytest.fixture(autouse=True, scope="session")
def _quick_exports() -> Iterator[None]:
    """Exports replay little audio and time themselves once, all but those of `whole_exports`."""
    with pytest.MonkeyPatch.context() as patch:
        for name, quick in QUICK_EXPORTS.items():
            module = importlib.import_module(f"tapezoo.export.{name.partition('.')[0]}")
            WHOLE_EXPORTS[name] = getattr(module, name.partition(".")[2])
            patch.setattr(f"tapezoo.export.{name}", quick)
        yield


@pytest.fixture
def whole_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports are as long in this test as a user's."""
    for name, whole in WHOLE_EXPORTS.items():
        monkeypatch.setattr(f"tapezoo.export.{name}", whole)


@pytest.fixture(autouse=True, scope="session")
def _known_import_paths() -> Iterator[None]:
    """Classes are found once by jsonargparse: parsing a recipe asks four thousand times, a tenth of its time."""
    from jsonargparse import _typehints, _util, typing

    find = _util.get_import_path
    found = functools.cache(find)
    lasting = ("builtins", "collections", "jsonargparse", "lightning", "tapezoo", "torch", "typing")

    def known(value: Any) -> str | None:
        # classes that a test installs are forgotten with it
        is_lasting = isinstance(value, type) and value.__module__.partition(".")[0] in lasting
        return found(value) if is_lasting else find(value)

    with pytest.MonkeyPatch.context() as patch:
        for module in (_typehints, _util, typing):
            patch.setattr(module, "get_import_path", known)
        yield


@pytest.fixture(autouse=True, scope="module")
def _asked_once(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The timing of the same recordings is measured once for all workers, and the same programme made once.

    Not in the tests of streams, which ask for the same in other blocks; those in `tests/data/align` measure themselves.
    """
    from tapezoo.data.align.timing import measure_timing
    from tapezoo.devices.program import program_material

    once = functools.partial(asked_once, tmp_path_factory)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("devices", "export.trained", "sweep.sounds"):
            patch.setattr(f"tapezoo.{module}.program_material", once(program_material))
        if request.path.name != "test_streams.py":
            patch.setattr("tapezoo.data.pair_delays.measure_timing", once(measure_timing))
        yield


@pytest.fixture
def timed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timing is measured in this test, whoever measured it before."""
    from tapezoo.data.align.timing import measure_timing

    monkeypatch.setattr("tapezoo.data.pair_delays.measure_timing", measure_timing)


@pytest.fixture
def verified_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verbs verify in this process: one for each bundle would import torch anew where there is TorchScript."""
    from tapezoo.runtime import verify

    def verified(bundle: Path, openers: str, seal_sha256: str | None) -> Verification:
        return verify(bundle, resolve_name(openers)() if openers else None, seal_sha256)

    monkeypatch.setattr("tapezoo.runtime.verification.verify_apart", verified)


@pytest.fixture(autouse=True, scope="module")
def _quick_steadiness(request: pytest.FixtureRequest) -> Iterator[None]:
    """An epoch plays a sixth of what says whether the net is steady, except in the tests of that."""
    with pytest.MonkeyPatch.context() as patch:
        if "steadiness" not in request.path.name:
            patch.setattr("tapezoo.measure.unlike.STRETCH_S", 0.03)
            patch.setattr("tapezoo.measure.unlike.SILENCE_S", 0.015)
        yield


@pytest.fixture(autouse=True, scope="module")
def _blank_pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Pictures stay blank, and those of a run are not even composed, except in the folder of their own tests.

    What a run's pictures would show is measured briefly, except in the tests of measuring: half of a short run's time.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.path.parent != TESTS / "report":
            blank = _blank_png()
            _drawing()
            for module in ("figures", "comparison_picture"):
                patch.setattr(f"tapezoo.report.{module}.arrange", lambda figure: None)
            for name in _draws_of_a_run():
                patch.setattr(f"tapezoo.callbacks.run_report.{name}", lambda *given, **named: _blank_figure())
            if request.path.parent != TESTS / "measure":
                for name, short in SHORT_REPORTS.items():
                    WHOLE_REPORTS[name] = resolve_name(f"tapezoo.{name}")
                    patch.setattr(f"tapezoo.{name}", short)
            patch.setattr(
                "matplotlib.figure.Figure.savefig",
                lambda self, path, **options: Path(path).write_bytes(blank),
            )
        yield


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports of this test's runs stay empty: they take longer than a short training, and have tests of their own."""
    monkeypatch.setattr("tapezoo.callbacks.recorder.RunReport.write", lambda *given: None)


@pytest.fixture
def drawn_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's pictures of its net's blocks are drawn for real in this test, the others are not."""
    arrange, savefig = _drawing()
    monkeypatch.setattr(
        "tapezoo.callbacks.run_report.draw_block_response", _draws_of_a_run()["draw_block_response"]
    )
    monkeypatch.setattr("tapezoo.report.figures.arrange", arrange)
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", savefig)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn for real in this test."""
    arrange, savefig = _drawing()
    for name, draw in _draws_of_a_run().items():
        monkeypatch.setattr(f"tapezoo.callbacks.run_report.{name}", draw)
    for name, whole in WHOLE_REPORTS.items():
        monkeypatch.setattr(f"tapezoo.{name}", whole)
    for module in ("figures", "comparison_picture"):
        monkeypatch.setattr(f"tapezoo.report.{module}.arrange", arrange)
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", savefig)


@functools.cache
def _drawing() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    from tapezoo.report.figures import arrange

    return arrange, Figure.savefig


@functools.cache
def _draws_of_a_run() -> dict[str, Any]:
    """What composes the pictures that every run leaves: a third of the time of a short one."""
    from tapezoo.callbacks import run_report

    found = {name: draw for name, draw in vars(run_report).items() if name.startswith("draw_")}
    assert found, "a run's pictures are drawn elsewhere now"
    return found


def _blank_figure() -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(0.1, 0.1))


@functools.cache
def _blank_png() -> bytes:
    stream = io.BytesIO()
    _blank_figure().savefig(stream, format="png")
    return stream.getvalue()


@pytest.fixture(autouse=True)
def _copied_databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new tracking database is a copy of the session's first: MLflow's seventy migrations take seconds each time.

    The tests of its making (`tests/tracking/test_database.py`) see the real thing.
    """
    if request.path.name == "test_database.py":
        return
    from tapezoo.tracking.database import _create_database as make_database

    def copied(path: Path) -> None:
        part = path.with_name(f".{path.name}.part")
        shutil.copy(made_once(tmp_path_factory, "tables.db", make_database), part)
        part.rename(path)

    monkeypatch.setattr("tapezoo.tracking.database._create_database", copied)
