"""A net that learned the delay of its recordings is told from one that answers when its manifest says so."""

import pytest
import torch
from export.nets import arguments, fir

from tapezoo.bundle import read_manifest
from tapezoo.export import export_bundle
from tapezoo.export.latency_probe import LatencyProbe, latency_text, probed
from tapezoo.export.targets.onnx import OnnxTarget


@pytest.mark.parametrize(("late", "gain"), [(0, 1.0), (20, -0.5)])
def test_where_the_response_is_largest_stands_in_the_bundle(tmp_path, late, gain):
    net = fir()
    with torch.no_grad():
        net.taps.zero_()
        net.taps.view(-1)[-1 - late] = gain
    export_bundle(net, **arguments(net, tmp_path / "b"), targets=[OnnxTarget()], parts=[LatencyProbe()])
    arrival = probed(read_manifest(tmp_path / "b"))
    assert (arrival.declared_samples, arrival.found_samples, arrival.inverted) == (0, late, gain < 0)
    text = latency_text(arrival, 44100)
    if late:
        assert "20 samples after it (0.5 ms): mixed with dry it will comb" in text
        assert "polarity is inverted" in text
    else:
        assert text == "declared 0 samples, and the response is largest there"
