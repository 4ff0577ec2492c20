"""What the verbs import, and when; each in a process of its own, since here everything is imported already."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# stand-ins while nothing is compiled or drawn; the real things as soon as something is
STOOD_IN = """
import json, sys
from tapezoo.cli.lean import import_filters, import_lightning

import_lightning()
import torch, torchmetrics
from lightning.pytorch.utilities.compile import OptimizedModule

def stepped(optimizer_class):
    net = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.constant_(net.weight, 1.0)
    optimizer = optimizer_class(net.parameters(), lr=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.tensor([[2.0, 3.0]])).sum().backward()
        optimizer.step()
    return net.weight.tolist()

# what plays a checkpoint
import tapezoo.checkpoint
import tapezoo.models.lstm
import tapezoo.render.nets

filtering = [name for name in ("scipy.optimize", "scipy.signal") if name in sys.modules]
from torchmetrics.functional.audio import permutation_invariant_training, scale_invariant_signal_noise_ratio

voices = torch.randn(1, 3, 50)
heard = voices[:, [2, 0, 1]] + 0.1  # three, so that scipy is asked who is who
_, order = permutation_invariant_training(heard, voices, scale_invariant_signal_noise_ratio)
import_filters()
import scipy.signal

counted = "scipy.stats" in sys.modules
hill = torch.sin(torch.arange(0.0, 3.14, 0.05)).numpy()
peaks = scipy.signal.find_peaks_cwt(hill, range(1, 10))  # above a percentile of the noise
from scipy.stats import spearmanr

before = {"SGD": stepped(torch.optim.SGD), "Adam": stepped(torch.optim.Adam)}
mean = torchmetrics.MeanMetric()
mean.update(torch.ones(2))
import tapezoo.cli.training

heavy = ["sympy", "torch._dynamo.eval_frame", "matplotlib.pyplot", "matplotlib.figure"]
lean = [name for name in heavy if name in sys.modules]
plain = isinstance(torch.nn.Linear(1, 1), OptimizedModule)

compiled = {}
if "compiler" in sys.argv:
    import torch._dynamo.config as part

    net = torch.compile(torch.nn.Linear(2, 1), backend="eager")
    compiled = {
        "answer": list(net(torch.zeros(3, 2)).shape),
        "part": part is torch._dynamo.config and torch._dynamo.__file__ is not None,
        "compiled": isinstance(net, OptimizedModule) and isinstance(net, torch._dynamo.OptimizedModule),
    }
figure, axes = mean.plot()
from matplotlib.axes import Axes
from torchmetrics.utilities.plot import _AX_TYPE

print(json.dumps({
    "before": before,
    "lean": lean,
    "filtering": filtering,
    "order": order.tolist(),
    "filtered": scipy.signal.lfilter([0.5], [1.0], [2.0]).tolist(),
    "counted": counted,
    "peaks": peaks.tolist(),
    "ranked": float(spearmanr([1, 2, 3], [3, 5, 9]).statistic),
    "plain": plain,
    "compiled": compiled,
    "axes": isinstance(axes, Axes) and isinstance(axes, _AX_TYPE) and not isinstance(figure, _AX_TYPE),
    "after": {"SGD": stepped(torch.optim.SGD), "Adam": stepped(torch.optim.Adam)},
    "loaded": [name for name in heavy if name in sys.modules],
}))
"""

REFUSED = """
import sys
from tapezoo.cli import main

for line in sys.stdin.read().splitlines():
    assert main(line.split()) == 2, line
    assert not {"torch", "lightning", "numba"} & set(sys.modules), line
"""


def stood_in(folder: Path, *asked: str) -> dict[str, Any]:
    command = [sys.executable, "-c", STOOD_IN, *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["lean"] == []
    assert found["before"]["SGD"] == [[1.0 - 2 * 0.5 * 2.0, 1.0 - 2 * 0.5 * 3.0]]
    assert found["after"] == found["before"]
    return found


def test_compiler_pyplot_and_filters_are_stood_in_for_until_something_asks_for_them(tmp_path: Path) -> None:
    found = stood_in(tmp_path)
    assert found["filtering"] == []
    assert found["order"] == [[1, 2, 0]]
    assert found["filtered"] == [1.0]
    assert not found["counted"]
    assert found["peaks"] == [32]
    assert found["ranked"] == pytest.approx(1.0)
    assert not found["plain"]
    assert found["axes"]
    assert found["loaded"] == ["matplotlib.pyplot", "matplotlib.figure"]


@pytest.mark.slow  # torch's compiler takes as long to import as all else here
def test_the_compiler_is_the_real_one_as_soon_as_something_asks_for_it(tmp_path: Path) -> None:
    found = stood_in(tmp_path, "compiler")
    assert found["compiled"] == {"answer": [3, 1], "part": True, "compiled": True}
    assert found["loaded"] == ["sympy", "torch._dynamo.eval_frame", "matplotlib.pyplot", "matplotlib.figure"]


def test_a_path_that_is_wrong_is_said_before_torch_is_imported(tmp_path: Path) -> None:
    (tmp_path / "run.ckpt").touch()
    lines = (
        "fit --config missing.yaml",
        "fit --config lsmt",
        "fit --config run.ckpt",
        "test --ckpt_path missing.ckpt",
        "compare missing.yaml other.yaml",
        "grid fit missing.yaml --out grid",
        "render missing.ckpt in.wav out.wav",
        "render run.ckpt missing.wav out.wav",
        "export missing.ckpt --out bundle",
        "sweep missing.ckpt --out sweep",
        "verify missing",
    )
    done = subprocess.run(
        [sys.executable, "-c", REFUSED],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    said = done.stderr.strip().splitlines()
    assert [line.split(":")[1].strip() for line in said] == [
        "missing.yaml",
        "lsmt",
        "run.ckpt",
        "missing.ckpt",
        "missing.yaml",
        "missing.yaml",
        "missing.ckpt",
        "missing.wav",
        "missing.ckpt",
        "missing.ckpt",
        "missing",
    ]
