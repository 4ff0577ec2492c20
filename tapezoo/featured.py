"""Any net that is told features of its input, such as the loudness, as further controls that move with the signal."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tapezoo.architecture import Architecture
from tapezoo.layers.features import feature
from tapezoo.net import Net, State, UndescribableError, UnfoldableError


class Featured(Net):
    """`y = net(x, (controls, features of x))`: every way in which a net is conditioned serves its features too.

    Features are controls rather than further channels of the input: every net has a layer for controls, and the
    first layers of most take one channel. They are handed on sample by sample and do not glide.

    Args:
        net: A net for the knobs and, as its last controls, the features; it is changed to `follow` them. Its state
            tensors keep their names.
        features: Names from `tapezoo.layers.features.FEATURES`, each once.
        sample_rate: Hz.
    """

    def __init__(self, net: Net, features: Sequence[str], sample_rate: int) -> None:
        measures = [feature(name, sample_rate) for name in features]
        fields = [net.receptive_field, *(each.receptive_field for each in measures)]
        finite = [field for field in fields if field is not None]
        # the net hears features of every sample that it hears
        whole = sum(finite[:1]) + max(finite[1:], default=1) - 1 if len(finite) == len(fields) else None
        knobs = net.num_controls - len(measures)
        super().__init__(knobs, whole, smoothing_samples=0)  # the net has the knobs
        net.follow(len(measures))
        self.smoothing_samples = net.smoothing_samples
        self.latency_samples, self.hop_samples = net.latency_samples, net.hop_samples
        self.own_phase = net.own_phase
        self.max_block_samples, self.remains = net.max_block_samples, net.remains
        self.net, self.measures = net, nn.ModuleList(measures)
        self.told: dict[str, list[str]] = {}
        for name, each in zip(features, measures, strict=True):
            rests = each.rest()
            self.told[name] = list(rests)
            for part, rest in rests.items():
                self.register_rest(f"feature_{name}_{part}", rest)
        dead = {f"net.{name}": reason for name, reason in net.dead_parameters.items()}
        vars(self).update(cannot_keep=net.cannot_keep, dead_parameters=dead)

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        path = [controls.unsqueeze(-1).expand(-1, -1, input.shape[-1])]
        after: State = {}
        for (name, parts), measure in zip(self.told.items(), self.measures, strict=True):
            own = {part: state[f"feature_{name}_{part}"] for part in parts}
            position, own = measure(input, own)
            path.append(position)
            after |= {f"feature_{name}_{part}": own[part] for part in parts}
        of_net = {name: value for name, value in state.items() if name not in after}
        output, of_net = self.net(input, torch.cat(path, dim=1), of_net)
        return output, {**of_net, **after}

    @property
    def state_names(self) -> tuple[str, ...]:
        """See `Net.state_names`."""
        return (*self.net.state_names, *super().state_names)

    @property
    def endless_states(self) -> tuple[str, ...]:
        """See `Net.endless_states`."""
        return self.net.endless_states

    def initial_state(self, controls: Tensor) -> State:
        """See `Net.initial_state`."""
        return {**self.net.initial_state(controls), **super().rest_state(controls.shape[0])}

    def rest_state(self, rows: int) -> State:
        """See `Net.rest_state`."""
        return {**self.net.rest_state(rows), **super().rest_state(rows)}

    def store_rest(self, state: State) -> None:
        """See `Net.store_rest`."""
        self.net.store_rest(state)
        super().store_rest(state)

    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: it cannot be."""
        raise UnfoldableError(
            type(self).__name__,
            found=f"features of the signal ({', '.join(self.told)}), which move while the controls are held",
            expected="controls alone",
            fix="Train without features (--model.features null), or export without a grid.",
        )

    def described(self) -> Architecture:
        """See `Net.described`: it cannot be."""
        raise UndescribableError(self, f"features of the signal ({', '.join(self.told)}) as controls")
