"""`tapezoo check`: what the table says, and how it ends. Only a few laws are run: the rest are slow."""

import pytest

from tapezoo import registry, testing
from tapezoo.cli import main

FEW = ("pure", "causal", "gradients", "controls")
MODELS = """
import torch
from tapezoo.models.fir import FIR, FIRNet
from tapezoo.net import Net

class DeclaringNet(FIRNet):
    cannot_keep = {"causal": "it plays backwards"}
    dead_parameters = {"idle": "kept for a reason"}

class Declaring(FIR):
    net_class = DeclaringNet

class Old(FIR):
    cannot_keep = {"causal": "it plays backwards"}

class ShiftedNet(FIRNet):
    def forward(self, input, controls, state):
        output, after = super().forward(input, controls, state)
        if not self.num_controls:
            return output, after
        return output + torch.nn.functional.pad(input, (0, 1))[..., 1:], after

class Leaky(FIR):
    def __init__(self, **training):
        super().__init__(taps=8, **training)
        self.net = ShiftedNet(self.num_controls, 8)

class StubbornNet(FIRNet):
    folded = Net.folded

class Stubborn(FIR):
    def __init__(self, **training):
        super().__init__(taps=8, **training)
        self.net = StubbornNet(self.num_controls, 8)

class Unbuildable(FIR):
    def __init__(self, **training):
        raise RuntimeError("no net today")

class Odd:
    pass
"""
ENTRIES = {
    name: f"zoo_kinds:{name}" for name in ("Declaring", "Leaky", "Stubborn", "Unbuildable", "Odd", "Old")
}
ENTRIES["Broken"] = "zoo_kinds_missing:Broken"


@pytest.fixture(autouse=True)
def zoo(install, monkeypatch):
    """FIR and seven strangers are all there is."""
    install("zoo-kinds", {"models": ENTRIES}, zoo_kinds=MODELS)
    everything = registry.installed
    monkeypatch.setattr(
        registry,
        "installed",
        lambda: [
            entry for entry in everything() if entry.kind != "models" or entry.name in {"FIR", *ENTRIES}
        ],
    )
    monkeypatch.setattr("tapezoo.testing.law.CHECKS", {name: testing.CHECKS[name] for name in FEW})


def check(capsys, *arguments):
    code = main(["check", *arguments])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


def test_one_name_gives_a_line_per_law(capsys):
    code, lines, _ = check(capsys, "FIR")
    assert code == 0
    assert [line.split() for line in lines if line.split()[:1] and line.split()[0] in FEW] == [
        ["pure", "kept", "kept"],
        ["causal", "kept", "kept"],
        ["gradients", "kept", "kept"],
        ["controls", "-", "kept"],
    ]
    assert lines[-1] == "checked 1; nothing broken"


def test_all_gives_a_line_per_model_and_the_reasons_below(capsys):
    code, lines, _ = check(capsys, "--all")
    assert code == 1
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.split() and ":" not in line}
    assert rows["FIR"] == ["kept"] * 4
    assert rows["Declaring"] == ["kept", "declared", "kept", "kept"]
    assert rows["Unbuildable"] == ["broken"] * 4
    assert rows["Odd"] == rows["Broken"] == rows["Old"] == ["-"] * 4
    # two words where it matters whether there are controls: without, with two
    position = next(number for number, line in enumerate(lines) if line.split()[:1] == ["Leaky"])
    assert lines[position].split() == ["Leaky", "kept", "kept", "kept", "kept"]
    assert lines[position + 1].split() == ["broken"]

    said = [line for line in lines if ": " in line]
    assert "Declaring: declared: causal (no controls), causal (2 controls): it plays backwards" in said
    assert "Declaring: declared: no gradient reaches idle: kept for a reason" in said
    assert any(
        line.startswith("Leaky: broken: causal (2 controls): LawBroken: input sample") for line in said
    )
    [unbuildable] = [line for line in said if line.startswith("Unbuildable: ")]  # seven laws, told once
    assert unbuildable.endswith("controls (2 controls): RuntimeError: no net today")
    for name in ("Odd", "Broken"):
        [line] = [line for line in said if line.startswith(f"{name}: not checked: ")]
        assert "zoo-kinds 1.2" in line
    [old] = [
        line for line in said if line.startswith("Old: not checked: Old.cannot_keep: found a declaration")
    ]
    assert "Move it to the subclass of tapezoo.net.Net that Old trains." in old
    assert lines[-1] == "checked 8; broken: Broken, Leaky, Odd, Old, Unbuildable"


def test_a_net_that_cannot_be_folded_is_shown_with_its_reason(capsys, monkeypatch):
    monkeypatch.setattr("tapezoo.testing.law.CHECKS", {"folded": testing.check_folded})
    code, lines, _ = check(capsys, "FIR", "Stubborn")
    assert code == 0
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.split() and ":" not in line}
    assert rows["FIR"] == ["kept"]
    assert rows["Stubborn"] == ["declared"]
    [reason] = [line for line in lines if line.startswith("Stubborn: ")]
    assert reason.startswith(
        "Stubborn: declared: folded (2 controls): not foldable: StubbornNet: found no `folded`"
    )


def test_several_names_are_checked_together_each_once(capsys):
    code, lines, _ = check(capsys, "FIR", "Declaring", "FIR")
    assert code == 0
    assert [line.split()[0] for line in lines if line.split()[1:2] == ["kept"]] == ["FIR", "Declaring"]
    assert lines[-1] == "checked 2; nothing broken"


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], "neither a name nor --all"),
        (["FIR", "--all"], "both names and --all"),
        (["FIR", "Odd"], "zoo-kinds 1.2"),
        (["FIR", "Fur"], "Did you mean FIR?"),
    ],
)
def test_a_line_that_cannot_be_followed_is_refused_before_any_work(arguments, found, capsys):
    code, lines, error = check(capsys, *arguments)
    assert code == 2
    assert found in error
    assert not lines
