"""How far single precision takes a net, and what that allows its targets."""

import numpy as np
import torch
from export.nets import arguments, fir

from tapezoo.bundle import read_arrays, read_manifest
from tapezoo.bundle.golden import LEAST_TOLERANCE, tolerance_of
from tapezoo.controls import Control
from tapezoo.export import export_bundle
from tapezoo.export.rounding import rounding_of
from tapezoo.net import Net


class Touchy(Net):
    """`sin(500 x)`: what rounding does to 500 x, the sine shows."""

    def __init__(self):
        super().__init__(0, receptive_field=1)
        self.gain = torch.nn.Parameter(torch.tensor(500.0))

    def forward(self, input, controls, state):
        return torch.sin(self.gain * input), {}


class OnlySingle(Touchy):
    def forward(self, input, controls, state):
        return torch.matmul(torch.ones(1, 1, 1), input), {}


NONE = np.zeros((1, 1, 0), np.float32)


def audio():
    return np.random.default_rng(0).uniform(-1, 1, (1, 5000)).astype(np.float32)


class Fixed(Touchy):
    """The same with nothing to train: moving its weights moves nothing."""

    def __init__(self):
        super().__init__()
        self.gain.requires_grad_(False)
        del self.gain
        self.register_buffer("gain", torch.tensor(500.0))


def test_rounding_is_the_distance_from_double_precision():
    played = np.sin(np.float32(500) * audio())
    exact = np.sin(500 * audio().astype(np.float64))
    found = rounding_of(Fixed().eval(), played, audio(), NONE, {}, 64)
    assert found == np.abs(played - exact).max() > 1e-6


def test_or_half_of_what_a_few_roundings_of_all_weights_do_where_that_is_more():
    quiet = np.full((1, 64), 2.0**-7, np.float32)  # 500 x is exact: double precision finds hardly anything
    played = np.sin(np.float32(500) * quiet)
    assert rounding_of(Fixed().eval(), played, quiet, NONE, {}, 64) < 1e-7
    moved = 500 * 2.0**-7 * 1e-6 * abs(np.cos(500 * 2.0**-7))
    found = rounding_of(Touchy().eval(), played, quiet, NONE, {}, 64)
    np.testing.assert_allclose(found, moved / 2, rtol=0.1)


def test_a_net_of_single_precision_alone_has_none():
    assert rounding_of(OnlySingle().eval(), audio(), audio(), NONE, {}, 64) == 0


def test_a_target_may_be_as_far_away_as_rounding_takes_the_net_but_not_farther_than_80_db():
    loud = np.full((1, 8), 0.5, np.float32)
    assert tolerance_of(loud) == 0.5e-5
    assert tolerance_of(loud, 1e-6) == 0.5e-5
    assert tolerance_of(loud, 4e-6) == 1.6e-5
    assert tolerance_of(loud, 1.0) == 0.5e-4
    assert tolerance_of(0 * loud, 1.0) == LEAST_TOLERANCE


def test_every_golden_case_says_its_own(tmp_path):
    export_bundle(Touchy().eval(), **arguments(Touchy(), tmp_path / "bundle"))
    manifest = read_manifest(tmp_path / "bundle")
    assert all(case.rounding > 1e-6 for case in manifest.golden if case.name != "held_1")


class Temper(Net):
    """`sin((1 + 1e6 (c - 1/2)^4) x)`: steady near the default 1/2, and noise far away from it."""

    def __init__(self):
        super().__init__(1, receptive_field=1, smoothing_samples=0)
        self.gain = torch.nn.Parameter(torch.tensor(1e6))

    def forward(self, input, controls, state):
        return torch.sin((1 + self.gain * (controls.unsqueeze(-1) - 0.5) ** 4) * input), {}


def test_a_net_that_is_unsteady_far_from_its_defaults_is_compared_nearer(tmp_path):
    net = Temper().eval()
    settings = arguments(net, tmp_path / "bundle") | {"controls": [Control("temper")]}
    manifest = export_bundle(net, **settings).manifest
    assert {case.reach for case in manifest.golden if case.name.startswith("held")} == {1}
    assert manifest.reach == 0.25
    case = next(case for case in manifest.golden if case.name == "changing_64")
    controls = read_arrays(tmp_path / "bundle", case.file, ["controls", "output"])["controls"]
    assert np.abs(controls - 0.5).max() == 0.5 * case.reach
    assert "25.0%" in (tmp_path / "bundle" / "MODEL_CARD.md").read_text()
    assert export_bundle(fir(1), **arguments(fir(1), tmp_path / "fir")).manifest.reach == 1
