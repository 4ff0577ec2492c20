"""The filter that follows its controls."""

import numpy as np
import torch
from gliding import glide, played

from tapezoo.models.fir import FIRNet


def test_taps_follow_moving_controls_sample_by_sample():
    torch.manual_seed(0)
    net, x = FIRNet(2, 5), torch.randn(1, 1, 1300)
    with torch.no_grad():
        net.taps.normal_()
    start, target = torch.tensor([[0.1, 0.9]]), torch.tensor([[0.8, 0.2]])
    path, g = glide(start, target, 1300)[0].double().numpy(), net.taps.detach().double().numpy()[:, 0, ::-1]
    signal, expected = x[0, 0].double().numpy(), np.zeros(1300)
    for n in range(1300):
        taps = g[0] + path[0, n] * g[1] + path[1, n] * g[2]
        expected[n] = sum(taps[k] * signal[n - k] for k in range(min(5, n + 1)))
    np.testing.assert_allclose(played(net, x, start, target)[0, 0].numpy(), expected, atol=1e-5)
