"""A bundle behind HTTP without MLflow: WAV or npy in, the same out, and a bound on every request.

JSON took seven times as long as playing the audio. MLflow's server takes little else, and reads a whole request first.
"""

from __future__ import annotations

import io
import json
import math
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import soundfile

from tapezoo.bundle.play import Audio
from tapezoo.controls import ControlError, parse_decimal
from tapezoo.errors import TapezooError
from tapezoo.serving.served import CONTROLS, MOST_SAMPLES, Effect, SignalError, TooLongError

WAV, NPY = "audio/wav", "application/x-npy"
PATH = "/invocations"  # as MLflow's
MOST_BYTES = 8 * MOST_SAMPLES + 2**16  # doubles, and a header
MOST_REQUESTS = 8  # at once, each with a body in memory; one of them plays
SILENT_S = 30.0  # how long a client may send nothing
BODY_S = 60.0  # how long it may take to send a body


def make_server(effect: Effect, host: str, port: int) -> ThreadingHTTPServer:
    """A server on `host`:`port` (0: a free one); `serve_forever` runs it.

    `POST /invocations?CONTROL=VALUE` answers what `Effect.predict` gives in the type it was sent: `audio/wav` or
    `application/x-npy`, (channels, samples). Refusals are `{"error": SENTENCE}`: 400 for audio and controls, 411 and
    413 before anything is read, 415 for another type, 503 while `MOST_REQUESTS` are at work. `GET /health`: 200.

    Raises:
        OSError: The address cannot be used.
    """
    places = threading.BoundedSemaphore(MOST_REQUESTS)

    class Handler(BaseHTTPRequestHandler):
        timeout = SILENT_S
        server_version, sys_version = "tapezoo", ""

        def do_GET(self) -> None:
            known = urlsplit(self.path).path in ("/health", "/ping")
            self._answer(200 if known else 404, "text/plain", b"\n")

        def do_POST(self) -> None:
            if not places.acquire(blocking=False):
                self._refuse(503, f"{MOST_REQUESTS} requests are being processed; try again")
                return
            try:
                self._play()
            finally:
                places.release()

        def _play(self) -> None:
            path, kind = urlsplit(self.path), self.headers.get_content_type()
            length = self.headers.get("Content-Length", "")
            if path.path != PATH:
                self._refuse(404, f"POST to {PATH}")
            elif kind not in READERS:
                self._refuse(415, f"found {kind}; expected {WAV} or {NPY} as Content-Type")
            elif not (length.isascii() and length.isdigit() and len(length) < 20):
                self._refuse(411, "found no Content-Length; expected one")
            elif int(length) > MOST_BYTES:
                self._refuse(413, f"found {length} bytes; expected at most {MOST_BYTES}; {TooLongError.FIX}")
            else:
                body = self._read_body(int(length))
                if body is None:
                    self._refuse(408, f"the body did not arrive within {BODY_S:.0f} s")
                    return
                try:
                    read, written = READERS[kind]
                    output = effect.predict(
                        read(body, effect.sample_rate), {CONTROLS: parse_controls(path.query)}
                    )
                except TapezooError as error:
                    self._refuse(413 if isinstance(error, TooLongError) else 400, str(error))
                    return
                self._answer(200, kind, written(output, effect.sample_rate))

        def _read_body(self, length: int) -> bytes | None:
            """The request's body; None if it takes too long, because a slow client holds a place."""
            end_s, body = time.monotonic() + BODY_S, bytearray()
            while len(body) < length:
                part = self.rfile.read1(min(length - len(body), 1 << 20))
                if not part:
                    break
                body += part
                if time.monotonic() > end_s:
                    return None
            return bytes(body)

        def _refuse(self, status: int, sentence: str) -> None:
            self.close_connection = True  # the body was not read
            self._answer(status, "application/json", json.dumps({"error": sentence}).encode())

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Logs nothing: a line per request is the proxy's job."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Ignores clients that disconnected; anything else is a bug, and is shown with its traceback."""
            if not isinstance(sys.exception(), ConnectionError | TimeoutError):
                super().handle_error(request, client_address)  # type: ignore[arg-type]

    return Server((host, port), Handler)


def parse_controls(query: str) -> dict[str, float]:
    """`drive=0.7&speed=2` -> values by name.

    Raises:
        ControlError: No number, or a control twice.
    """
    found: dict[str, float] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        try:
            value = parse_decimal(text)
        except ValueError:
            value = math.nan
        if name in found or not math.isfinite(value):
            raise ControlError(
                f"control {name!r}",
                found="the same control twice" if name in found else f"{text!r}",
                expected="one number in the control's own unit",
                fix="Change the address, as in ?drive=0.7.",
            )
        found[name] = value
    return found


def read_npy(body: bytes, sample_rate: int) -> Audio:
    """The array of an npy file; nothing is allocated that the body does not hold. No rate is in it.

    Raises:
        SignalError, TooLongError: It is no such file, or too long.
    """
    stream = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(stream)
        header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, is_fortran, dtype = header(stream)
        if not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError(f"a shape of {shape}")
    except Exception as error:  # whatever numpy makes of a stranger's bytes
        raise _file_error("npy", error) from error
    if math.prod(shape) > MOST_SAMPLES:
        raise TooLongError(math.prod(shape))
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(body) - stream.tell():
        raise _file_error("npy", f"{len(body) - stream.tell()} bytes for {shape} of {dtype}")
    order: Literal["F", "C"] = "F" if is_fortran else "C"
    try:
        return np.ndarray(shape, dtype, body, stream.tell(), order=order)
    except (ValueError, OverflowError) as error:  # an empty array of endless length
        raise _file_error("npy", error) from error


def read_wav(body: bytes, sample_rate: int) -> Audio:
    """The samples of a WAV file at `sample_rate`, full scale +-1.

    Raises:
        SignalError, TooLongError: It is no such file, at another rate, or too long.
    """
    if not _has_whole_chunks(body):
        raise _file_error("WAV", "chunks that do not add up to its length")  # libsndfile believes the header
    try:
        with soundfile.SoundFile(io.BytesIO(body)) as file:
            if file.format not in ("WAV", "WAVEX", "RF64"):
                raise _file_error("WAV", f"{file.format}")
            if file.samplerate != sample_rate:
                raise _file_error("WAV", f"{file.samplerate} Hz, and the model plays at {sample_rate} Hz")
            if file.frames * file.channels > MOST_SAMPLES:
                raise TooLongError(file.frames * file.channels)
            samples = file.read(file.frames, dtype="float32", always_2d=True)
            if len(samples) != file.frames:
                raise _file_error("WAV", f"{len(samples)} of the {file.frames} samples that it announces")
    except soundfile.LibsndfileError as error:
        raise _file_error("WAV", error) from error
    return np.ascontiguousarray(samples.T)


def _has_whole_chunks(body: bytes) -> bool:
    """Whether the chunks of a WAV file end where it ends; RF64 files are left to libsndfile."""
    if body[:4] != b"RIFF":
        return True
    end, padding = 12, 0
    while end + padding + 8 <= len(body):
        end += padding
        size = int.from_bytes(body[end + 4 : end + 8], "little")
        end, padding = end + 8 + size, size % 2
    return len(body) in (end, end + padding)  # writers forget the last byte that makes a length even


def write_npy(audio: Audio, sample_rate: int) -> bytes:
    """An npy file, float32."""
    stream = io.BytesIO()
    np.save(stream, audio, allow_pickle=False)
    return stream.getvalue()


def write_wav(audio: Audio, sample_rate: int) -> bytes:
    """A WAV file, float32."""
    stream = io.BytesIO()
    soundfile.write(stream, audio.T, sample_rate, subtype="FLOAT", format="WAV")
    return stream.getvalue()


READERS: dict[str, tuple[Callable[[bytes, int], Audio], Callable[[Audio, int], bytes]]] = {
    WAV: (read_wav, write_wav),
    NPY: (read_npy, write_npy),
}


def _file_error(kind: str, found: object) -> SignalError:
    return SignalError(
        "input",
        found=f"{found}",
        expected=f"a whole {kind} file at the model's rate",
        fix=f"Send {WAV}, or {NPY} of (channels, samples), float32.",
    )
