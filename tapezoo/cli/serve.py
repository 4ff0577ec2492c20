"""`tapezoo serve BUNDLE`: WAV or npy over HTTP, in and out; needs no torch and no MLflow."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tapezoo.cli.completion import complete_bundle


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "serve",
        help="play a bundle over HTTP",
        epilog="POST audio/wav or application/x-npy to /invocations?CONTROL=VALUE. The answer has the same "
        "type and is what tapezoo render would write. Ctrl-C stops the server. There is no encryption and no "
        "password: keep it on this machine, or behind a proxy that provides both.",
    )
    bundle = parser.add_argument(
        "bundle", type=Path, help="a folder written by tapezoo export or pull, or a shipped bundle's name"
    )
    complete_bundle(bundle)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    parser.add_argument(
        "--port", type=int, default=5001, help="port to listen on; 0 chooses a free one (default: 5001)"
    )
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Serves until it is ended."""
    import sys

    from tapezoo.errors import ArgumentsError
    from tapezoo.runtime import Stream
    from tapezoo.serving.http import PATH, make_server
    from tapezoo.serving.served import Effect
    from tapezoo.terminal import say

    if not 0 <= options.port <= 65535:
        raise ArgumentsError("tapezoo serve", f"--port is {options.port}; 0 to 65535")
    effect = Effect(Stream(options.bundle))
    try:
        server = make_server(effect, options.host, options.port)
    except OSError as error:
        raise ArgumentsError(
            "tapezoo serve", f"{options.host}:{options.port} cannot be used ({error})"
        ) from error
    with server:
        say(f"http://{options.host}:{server.server_address[1]}{PATH}  {effect.sample_rate} Hz")
        sys.stdout.flush()
        server.serve_forever()
    return 0
