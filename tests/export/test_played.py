"""What the gates played is not played again, unless a file is no longer what it was."""

import pytest
from export.nets import Waveshaper, arguments

from tapezoo.bundle import BundleError, CaseResult, verify_bundle
from tapezoo.export import DEFAULT_TARGETS, export_bundle
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.export.targets.target import graph_of


class CountingTarget(OnnxTarget):
    """ONNX that knows how often it was opened."""

    def __init__(self):
        self.opened = 0

    def open(self, path, state_names):
        self.opened += 1
        return super().open(path, state_names)


class LatePart:
    """A part that spoils something after the gates."""

    def __init__(self, spoil):
        self.spoil = spoil

    def check(self, net):
        pass

    def write(self, folder, net, manifest, programme, progress):
        return self.spoil(folder, net, manifest) or manifest


def write_a_louder_net(folder, net, manifest):
    net.gain.data *= 2
    OnnxTarget().write(graph_of(net, {}), folder / manifest.targets["onnx"])


def test_a_target_that_the_gate_played_is_not_played_again(tmp_path):
    net, target = Waveshaper(), CountingTarget()
    report = export_bundle(net, **arguments(net, tmp_path / "bundle"), targets=[target])
    assert target.opened == 1
    assert report.targets[0].status == "ok"


def test_a_graph_that_changed_after_the_gate_is_played_again_and_found(tmp_path):
    net = Waveshaper()
    with pytest.raises(BundleError, match="golden case"):
        export_bundle(net, **arguments(net, tmp_path / "bundle"), parts=[LatePart(write_a_louder_net)])
    assert list(tmp_path.iterdir()) == []


def test_what_was_played_is_judged_again(tmp_path):
    net = Waveshaper()
    export_bundle(net, **arguments(net, tmp_path / "bundle"), targets=DEFAULT_TARGETS[:1])
    wrong = {"onnx": (CaseResult("held_1", max_abs_error=0.1, tolerance=1e-5),)}
    with pytest.raises(BundleError, match=r"an error of 0\.1 in golden case held_1"):
        verify_bundle(tmp_path / "bundle", {}, played=wrong)
