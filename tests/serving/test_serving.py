"""The pyfunc model: the same audio as `tapezoo render`, through Python and through a served REST answer."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from export.nets import RATE_HZ, HopNet, arguments, fir, knobs, lstm
from mlflow.exceptions import MlflowException
from tracking.stores import Started, free_port, make_bundles, new_store, noise

from tapezoo.controls import ControlError, control_vector
from tapezoo.export import export_bundle
from tapezoo.net import Net
from tapezoo.render.nets import render
from tapezoo.serving.served import SignalError, _load_pyfunc
from tapezoo.tracking.model import write_model
from tapezoo.tracking.push import push_bundle

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # mlflow's own type hints, at its import
    import mlflow.pyfunc
    from mlflow.pyfunc import PyFuncModel, scoring_server


class Late(HopNet):
    """A net whose output is 3 samples late, and that plays in blocks of 4."""

    latency_samples = 3

    def __init__(self) -> None:
        super().__init__(1)


NETS = ("knobs", "plain", "late")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Net, Path]]:
    made = make_bundles(tmp_path_factory)
    late, folder = Late(), tmp_path_factory.mktemp("late") / "bundle"
    export_bundle(late, **arguments(late, folder))
    return {
        "knobs": (lstm(2, taps=16), made["knobs"]),  # seeded: the net that was exported
        "plain": (fir(), made["plain"]),
        "late": (late, folder),
    }


@pytest.fixture(scope="module")
def store(bundles: dict[str, tuple[Net, Path]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with tape@champion, which has knobs, and plain@champion, which has none."""
    uri = new_store(tmp_path_factory.mktemp("store"), tmp_path_factory)
    push_bundle(bundles["knobs"][1], "tape", "champion", uri=uri)
    push_bundle(bundles["plain"][1], "plain", "champion", uri=uri)
    return uri


@pytest.fixture
def loaded(store: str) -> Iterator[PyFuncModel]:
    before = mlflow.get_tracking_uri()  # of the process: the loggers of other tests set it too
    mlflow.set_tracking_uri(store)
    yield mlflow.pyfunc.load_model("models:/tape@champion")
    mlflow.set_tracking_uri(before)


def rendered(net: Net, audio: np.ndarray, settings: dict[str, float], folder: Path) -> np.ndarray:
    """What `tapezoo render` writes."""
    source, target = folder / "in.wav", folder / "out.wav"
    soundfile.write(source, audio.T, RATE_HZ, subtype="FLOAT")
    render(net, RATE_HZ, control_vector(knobs(net), settings), source, target, overwrite=True)
    output: np.ndarray = soundfile.read(target, dtype="float32", always_2d=True)[0].T
    return output


@pytest.mark.parametrize("samples", [1, 100, 2048, 9001])
@pytest.mark.parametrize("name", NETS)
def test_the_loader_plays_what_render_renders(
    name: str, samples: int, bundles: dict[str, tuple[Net, Path]], tmp_path: Path
) -> None:
    net, bundle = bundles[name]
    effect = _load_pyfunc(str(bundle))
    audio = noise(2, samples)
    everywhere: list[dict[str, float]] = [{}, {"drive": 9.0}] if net.num_controls else [{}]
    for settings in [*everywhere, {}]:  # the first again: nothing is left of the request before
        output = effect.predict(audio, {"controls": settings})
        assert (output.shape, output.dtype) == (audio.shape, np.float32)
        expected = rendered(net, audio, settings, tmp_path)
        np.testing.assert_allclose(output, expected, atol=1e-5)
    if samples > 1000 and name == "knobs":
        moved = effect.predict(audio, {"controls": {"drive": 9}})
        assert np.abs(moved - output).max() > 1e-3, "the control is heard"


def test_no_sample_gives_none(bundles: dict[str, tuple[Net, Path]]) -> None:
    for name in NETS:
        assert _load_pyfunc(str(bundles[name][1])).predict(np.zeros((2, 0), np.float32)).shape == (2, 0)


def test_a_bad_request_is_said(bundles: dict[str, tuple[Net, Path]]) -> None:
    effect = _load_pyfunc(str(bundles["knobs"][1]))
    good = noise(1, 64)
    shapes = (noise(1, 64)[0], np.zeros((0, 4)), np.float32(1), noise(2, 512).T, [[0.0], [0.0, 1.0]])
    integers = (np.zeros((1, 8), np.int16), np.full((1, 8), 12, np.float32))  # JSON's integers come as floats
    for bad in (*shapes, *integers, np.full((1, 8), np.nan), [["a"]], np.zeros((1, 8), complex)):
        with pytest.raises(SignalError):
            effect.predict(bad)  # type: ignore[arg-type]
    for controls in ({"drvie": 1.0}, {"drive": 99.0}, {"drive": "much"}, {"drive": True}, {"drive": np.nan}):
        with pytest.raises(ControlError):
            effect.predict(good, {"controls": controls})
    assert effect.predict(good).shape == (1, 64), "it still plays"


def test_a_registered_version_plays_through_mlflow_what_render_renders(
    loaded: PyFuncModel, bundles: dict[str, tuple[Net, Path]], tmp_path: Path
) -> None:
    net, _ = bundles["knobs"]
    for audio in (noise(1, 333), noise(2, 5000)):  # the signature leaves both sizes free
        np.testing.assert_allclose(loaded.predict(audio), rendered(net, audio, {}, tmp_path), atol=1e-5)
    settings = {"drive": 7, "speed": 50.5}  # JSON writers write 7 for 7.0
    output = loaded.predict(audio, params={"controls": settings})
    np.testing.assert_allclose(output, rendered(net, audio, settings, tmp_path), atol=1e-5)


def test_mlflow_refuses_an_unknown_control_and_a_wrong_shape(loaded: PyFuncModel) -> None:
    with pytest.raises(MlflowException, match="drvie"):
        loaded.predict(noise(), params={"controls": {"drvie": 1.0}})
    with pytest.raises(MlflowException, match=r"\(-1, -1\)"):
        loaded.predict(noise()[0])


def test_the_model_folder_asks_for_no_torch_and_holds_no_code(
    bundles: dict[str, tuple[Net, Path]], tmp_path: Path
) -> None:
    from tapezoo.bundle import read_manifest

    write_model(bundles["plain"][1], read_manifest(bundles["plain"][1]), tmp_path / "model")
    assert "torch" not in (tmp_path / "model" / "requirements.txt").read_text()
    assert "loader_module: tapezoo.tracking.loader" in (tmp_path / "model" / "MLmodel").read_text()
    assert not list((tmp_path / "model").rglob("*.py*"))


def test_the_loader_imports_neither_torch_nor_mlflow(bundles: dict[str, tuple[Net, Path]]) -> None:
    code = (
        "import sys, numpy, tapezoo.serving as s; e = s._load_pyfunc(sys.argv[1])\n"
        "e.predict(numpy.zeros((1, 10), numpy.float32))\n"
        "assert not {'torch', 'mlflow', 'lightning', 'pandas'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, str(bundles["plain"][1])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"inputs": [[0.1, float("nan")]]}, "NaN or infinity"),
        ({"inputs": [[0, 12000, -300]]}, "2**15"),
        ({"inputs": [[0.1]] * 9}, "transpose"),
        ({"inputs": [[0.1]], "params": {"controls": {"drive": 99}}}, "0 to 10 dB"),
        ({"inputs": [[0.1]], "params": {"controls": {"drive": "much"}}}, "a number"),
        ({"inputs": [[0.25] * 200]}, "at most 100"),
    ],
)
def test_what_tapezoo_refuses_mlflows_server_answers_with_400_and_its_sentence_alone(
    body: dict[str, Any], says: str, loaded: PyFuncModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tapezoo.serving.served.MOST_SAMPLES", 100)
    schema = loaded.metadata.get_input_schema()
    with pytest.raises(MlflowException) as raised:
        scoring_server.invocations(json.dumps(body), "application/json", loaded, schema)
    answer = json.loads(raised.value.serialize_as_json())
    assert raised.value.get_http_status_code() == 400
    assert set(answer) == {"error_code", "message"}
    assert answer["message"].startswith(("input: found", "control 'drive': found"))
    assert says in answer["message"]


# --- a served model ---


@pytest.fixture(scope="module")
def served(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of `mlflow models serve` of tape@champion."""
    port, folder = free_port(), tmp_path_factory.mktemp("served")
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["-m", "models:/tape@champion", "--host", "127.0.0.1", "--port", str(port)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        server = Started(command, port, folder / "serve.log", "/ping")
    yield server.uri
    server.kill()


def ask(uri: str, body: str) -> tuple[int, Any]:
    """Status and content of an answer."""
    request = urllib.request.Request(
        f"{uri}/invocations", body.encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.slow
def test_a_served_version_answers_what_render_renders(
    served: str, bundles: dict[str, tuple[Net, Path]], tmp_path: Path
) -> None:
    net, _ = bundles["knobs"]
    for audio, settings in ((noise(1, 700), {}), (noise(2, 5000), {"drive": 7, "speed": 50.5})):
        body = json.dumps({"inputs": audio.tolist(), "params": {"controls": settings}})
        status, content = ask(served, body)
        assert status == 200, content
        output = np.array(content["predictions"], dtype=np.float32)
        np.testing.assert_allclose(output, rendered(net, audio, settings, tmp_path), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"inputs": [[0.1, NaN]]}', "NaN or infinity"),
        ('{"inputs": [[0.1, 1e999]]}', "NaN or infinity"),
        ('{"inputs": [[0.1]], "params": {"controls": {"drvie": 1}}}', "drvie"),
        ('{"inputs": [[0.1]], "params": {"controls": {"drive": 99}}}', "0 to 10 dB"),
        ('{"inputs": [[0.1]], "params": {"controls": {"drive": "much"}}}', "a number"),
        ('{"inputs": [0.1, 0.2]}', "(-1, -1)"),
        ('{"inputs": [[0.1], [0.2, 0.3]]}', "inhomogeneous"),
        ('{"inputs": "loud"}', ""),
        ("not JSON", ""),
    ],
)
def test_a_bad_request_to_a_served_version_is_answered_with_400_and_the_reason(
    body: str, says: str, served: str
) -> None:
    status, content = ask(served, body)
    assert status == 400, content
    assert says in json.dumps(content)
    assert "stack_trace" not in content
