"""Verbs verify in this process here: a process for each bundle would import torch anew where there is TorchScript.

`tests/runtime/test_apart.py` has the real one, from the command line too.
"""

import pytest

from tapezoo.runtime import verify


@pytest.fixture(autouse=True)
def _verified_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def verified(bundle, openers, seal_sha256):
        from tapezoo.cli.installed import installed_openers

        return verify(bundle, installed_openers(), seal_sha256)

    monkeypatch.setattr("tapezoo.runtime.verification.verify_apart", verified)
