"""A bundle behind `tapezoo serve`: binary audio in and out, and every request bounded."""

from __future__ import annotations

import http.client
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from export.nets import RATE_HZ
from tracking.stores import make_bundles, noise

from tapezoo.cli import main
from tapezoo.runtime import Stream
from tapezoo.serving import http as server_module
from tapezoo.serving.http import MOST_BYTES, MOST_REQUESTS, NPY, WAV, make_server
from tapezoo.serving.served import MOST_SAMPLES, Effect


@pytest.fixture(scope="module")
def effect(tmp_path_factory: pytest.TempPathFactory) -> Effect:
    return Effect(Stream(make_bundles(tmp_path_factory)["knobs"]))


@pytest.fixture(scope="module")
def port(effect: Effect) -> Iterator[int]:
    server = make_server(effect, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def ask(port: int, kind: str, body: bytes, query: str = "", **headers: str) -> tuple[int, str, bytes]:
    """Status, type and content of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": kind, **{name.replace("_", "-"): text for name, text in headers.items()}}
    connection.request("POST", f"/invocations{query}", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, str(answer.headers.get_content_type()), content


def npy(audio: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, audio)
    return stream.getvalue()


def wav(audio: np.ndarray, rate_hz: int = RATE_HZ, subtype: str = "FLOAT", format: str = "WAV") -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, audio.T, rate_hz, subtype=subtype, format=format)
    return stream.getvalue()


def npy_of_shape(shape: str, size: int) -> bytes:
    """A header that announces `shape`, and `size` bytes behind it."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (1, 1)})
    header = stream.getvalue().rstrip()
    head, text = header[:10], header[10:].replace(b"(1, 1)", shape.encode())
    padded = text.ljust(118) + b"\n"
    return head[:8] + len(padded).to_bytes(2, "little") + padded + bytes(size)


def half_announced(body: bytes) -> bytes:
    """The WAV file, with half of its audio behind the end that its header gives."""
    at = body.index(b"data") + 4
    half = int.from_bytes(body[at : at + 4], "little") // 2
    return body[:at] + half.to_bytes(4, "little") + body[at + 4 :]


def test_wav_and_npy_are_answered_in_kind_with_what_the_effect_plays(effect: Effect, port: int) -> None:
    audio = noise(2, 3000)
    expected = effect.predict(audio, {"controls": {"drive": 9, "speed": 50.5}})
    status, kind, content = ask(port, NPY, npy(audio), "?drive=9&speed=50.5")
    assert (status, kind) == (200, NPY)
    np.testing.assert_array_equal(np.load(io.BytesIO(content)), expected)
    status, kind, content = ask(port, WAV, wav(audio), "?drive=9&speed=50.5")
    assert (status, kind) == (200, WAV)
    played, rate_hz = soundfile.read(io.BytesIO(content), dtype="float32")
    assert rate_hz == RATE_HZ
    np.testing.assert_array_equal(played.T, expected)
    for still in (npy(np.asfortranarray(audio)), npy(audio.astype(">f8"))):
        content = ask(port, NPY, still, "?drive=9&speed=50.5")[2]
        np.testing.assert_array_equal(np.load(io.BytesIO(content)), expected)


GOOD = npy(noise(1, 64))


@pytest.mark.parametrize(
    ("kind", "body", "query", "status", "says"),
    [
        (NPY, npy(np.zeros((1, 8), np.int16)), "", 400, "2**15"),
        (NPY, npy(noise(2, 512).T), "", 400, "transpose"),
        (NPY, npy(np.full((1, 8), np.nan)), "", 400, "NaN or infinity"),
        (NPY, npy(noise(1, 64)[0]), "", 400, "one list of samples per channel"),
        (NPY, GOOD[:-1], "", 400, "255 bytes"),
        (
            NPY,
            GOOD.replace(b"(1, 64), }" + 9 * b" ", b"(9999999999, 64), }"),
            "",
            413,
            "639999999936 samples",
        ),
        (NPY, b"\x80\x04loads", "", 400, "npy"),
        (NPY, npy(np.zeros((1, 2), object)), "", 400, "npy"),
        (NPY, npy_of_shape("(-2, -2)", 16), "", 400, "npy"),
        (NPY, npy_of_shape("(0, 10" + "0" * 29 + ")", 0), "", 400, "npy"),
        (NPY, npy_of_shape("(True, True)", 4), "", 400, "npy"),
        (NPY, npy(noise(1, 64)), "?drive=1_0", 400, "1_0"),
        (WAV, wav(noise(1, 64), 8000), "", 400, "8000 Hz, and the model plays at"),
        (WAV, half_announced(wav(noise(1, 64), subtype="PCM_16")), "", 400, "chunks that do not add up"),
        (WAV, wav(noise(1, 64))[:-40], "", 400, "chunks that do not add up"),
        (WAV, wav(noise(1, 64), subtype="PCM_16")[:-1], "", 400, "chunks that do not add up"),
        (WAV, wav(noise(1, 64), format="FLAC", subtype="PCM_16"), "", 400, "FLAC"),
        (WAV, b"RIFF", "", 400, "WAV"),
        (NPY, GOOD, "?drive=99", 400, "0 to 10 dB"),
        (NPY, GOOD, "?drvie=1", 400, "drvie"),
        (NPY, GOOD, "?drive=much", 400, "much"),
        (NPY, GOOD, "?drive=nan", 400, "nan"),
        (NPY, GOOD, "?drive=1&drive=2", 400, "twice"),
        ("application/json", b"{}", "", 415, WAV),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(
    kind: str, body: bytes, query: str, status: int, says: str, port: int
) -> None:
    found, kind, content = ask(port, kind, body, query)
    assert (found, kind) == (status, "application/json"), content
    assert says in json.loads(content)["error"]
    assert ask(port, NPY, GOOD)[0] == 200, "it still plays"


def test_what_is_too_long_is_refused_before_it_is_read(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    status, _, content = ask(port, NPY, b"", Content_Length=str(MOST_BYTES + 1))
    assert status == 413
    assert str(MOST_BYTES) in json.loads(content)["error"]
    assert MOST_BYTES < 16 * MOST_SAMPLES
    assert ask(port, NPY, b"", Content_Length="-1")[0] == 411
    monkeypatch.setattr(server_module, "MOST_SAMPLES", 50)
    for kind, body in ((NPY, GOOD), (WAV, wav(noise(1, 64)))):
        status, _, content = ask(port, kind, body)
        assert status == 413
        assert "64 samples" in json.loads(content)["error"]


def test_more_requests_than_there_is_room_for_are_told_to_come_again(
    effect: Effect, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def slow(*_: object) -> np.ndarray:
        begun.release()
        go_on.wait(20)
        return noise(1, 4)

    monkeypatch.setattr(effect, "predict", slow)
    statuses: list[int] = []

    def ask_until_let_in() -> None:
        # the place of an earlier request is free only a moment after its answer was read
        while (status := ask(port, NPY, GOOD)[0]) == 503:
            pass
        statuses.append(status)

    threads = [threading.Thread(target=ask_until_let_in) for _ in range(MOST_REQUESTS)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert begun.acquire(timeout=20)
    assert ask(port, NPY, GOOD)[0] == 503
    go_on.set()
    for thread in threads:
        thread.join()
    assert statuses == [200] * MOST_REQUESTS


def test_an_address_that_cannot_be_used_is_a_sentence(
    port: int, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle: Path = make_bundles(tmp_path_factory)["plain"]
    assert main(["serve", str(bundle), "--port", str(port)]) == 2
    assert "cannot be used" in capsys.readouterr().err
    assert main(["serve", str(bundle), "--port", "99999"]) == 2


def test_a_body_that_comes_too_slowly_gives_its_place_back(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "BODY_S", -1.0)
    status, _, content = ask(port, NPY, GOOD)
    assert (status, "did not arrive within" in json.loads(content)["error"]) == (408, True)
