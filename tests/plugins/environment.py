"""A throw-away virtual environment that sees tapezoo, and distributions made on the spot to install there."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Environment:
    """A fresh environment in `folder`; pip works there without a network, and tapezoo's packages are visible."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        [self.site] = (folder / "lib").glob("python*/site-packages")
        parents = dict.fromkeys(sysconfig.get_paths()[kind] for kind in ("purelib", "platlib"))
        # addsitedir reads their .pth files too, which is how an editable tapezoo is found
        lines = [f"import site; site.addsitedir({parent!r})" for parent in parents]
        (self.site / "parent.pth").write_text("\n".join(lines))
        for command in ("pip", "tapezoo"):  # the parent's commands would use the parent's Python
            script = folder / "bin" / command
            script.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m {command} "$@"\n')
            script.chmod(0o755)

    def variables(self) -> dict[str, str]:
        """What a shell has after `activate`, with pip kept off the network."""
        return {
            **os.environ,
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "VIRTUAL_ENV": str(self.folder),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "false",  # pip reads it as the value of --build-isolation
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def call(self, *command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Runs a command of the environment; the caller looks at its exit code."""
        line = [str(part) for part in command]
        line[0] = str(self.folder / "bin" / line[0])
        return subprocess.run(line, cwd=cwd, env=self.variables(), capture_output=True, text=True)

    def install(self, *sources: Path) -> None:
        """Pip installs wheels or folders for real; to look through all that tapezoo needs would take it seconds."""
        options = ["--quiet", "--no-compile", "--no-deps"]
        done = self.call("pip", "install", *options, *sources, cwd=self.folder)
        assert done.returncode == 0, done.stderr


def wheel(folder: Path, distribution: str, entry: str, **modules: str) -> Path:
    """A wheel of version 1.2 with the given modules and one entry point, made without a build backend."""
    name = distribution.replace("-", "_")
    info = f"{name}-1.2.dist-info"
    files = {f"{module}.py": source for module, source in modules.items()}
    files |= {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\nRequires-Dist: tapezoo\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[tapezoo.models]\n{entry}\n",
    }
    record = [f"{path},{_digest(text)},{len(text.encode())}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    path = folder / f"{name}-1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in files.items():
            archive.writestr(member, text)
    return path


def _digest(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return "sha256=" + digest.rstrip(b"=").decode()
