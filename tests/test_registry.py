"""The registry, with throw-away distributions on the path."""

import subprocess
import sys

import pytest

from tapezoo import metrics, models, registry
from tapezoo.training.effect import EffectModel

GOOD = """
from tapezoo.models.fir import FIR
class {name}(FIR):
    pass
"""


def test_built_in_models_come_through_entry_points_like_any_other():
    names = {found.name: found.distribution for found in registry.registrations("models")}
    assert names["LSTM"] == names["FIR"] == "tapezoo"
    assert issubclass(models.LSTM, EffectModel)


def test_a_plugin_appears_and_resolves_by_name(install):
    install("zoo-echo", {"models": {"Echo": "zoo_echo:Echo"}}, zoo_echo=GOOD.format(name="Echo"))
    found = {entry.name: entry for entry in registry.registrations("models")}["Echo"]
    assert (found.distribution, found.version) == ("zoo-echo", "1.2")
    assert models.Echo.__name__ == "Echo"


def test_listing_imports_no_plugin(install):
    install("zoo-bomb", {"models": {"Bomb": "zoo_bomb:Bomb"}}, zoo_bomb="raise SystemExit('imported')")
    assert "Bomb" in {entry.name for entry in registry.registrations("models")}
    assert "zoo_bomb" not in sys.modules


def test_an_unknown_name_gets_the_nearest_and_all_known_ones():
    with pytest.raises(registry.RegistrationError, match=r"'LTSM'.*FIR.*LSTM.*Did you mean LSTM\?"):
        models.resolve("LTSM")


def test_a_broken_plugin_is_named_with_its_cause_and_breaks_nothing_else(install):
    install(
        "zoo-broken",
        {"models": {"Broken": "zoo_broken:Broken"}},
        zoo_broken="import a_module_that_is_not_there",
    )
    with pytest.raises(
        registry.RegistrationError, match=r"zoo-broken 1\.2.*a_module_that_is_not_there"
    ) as error:
        models.resolve("Broken")
    assert isinstance(error.value.__cause__, ModuleNotFoundError)
    assert models.resolve("FIR").__name__ == "FIR"


def test_a_plugin_that_ends_the_program_is_only_broken(install):
    install(
        "zoo-quitter",
        {"models": {"Quitter": "zoo_quitter:Quitter"}},
        zoo_quitter="raise SystemExit('no licence')",
    )
    with pytest.raises(registry.RegistrationError, match=r"zoo-quitter 1\.2.*SystemExit: no licence"):
        models.resolve("Quitter")


def test_two_claims_on_one_name_are_an_error_that_names_both(install):
    install("zoo-thief", {"models": {"LSTM": "zoo_thief:LSTM"}}, zoo_thief=GOOD.format(name="LSTM"))
    with pytest.raises(registry.RegistrationError) as error:
        models.resolve("LSTM")
    assert "zoo-thief 1.2" in str(error.value)
    assert "tapezoo 0." in str(error.value)
    assert models.resolve("FIR").__name__ == "FIR"


@pytest.mark.parametrize("target", ["NotAModel", "SOMETHING"])
def test_something_that_is_no_effect_model_is_refused_by_distribution(install, target):
    source = "class NotAModel: pass\nSOMETHING = 3\n"
    module = f"zoo_odd_{target.lower()}"
    install("zoo-odd", {"models": {target: f"{module}:{target}"}}, **{module: source})
    with pytest.raises(registry.RegistrationError, match=r"zoo-odd 1\.2"):
        models.resolve(target)


def test_a_class_under_another_name_is_refused(install):
    install("zoo-alias", {"models": {"Alias": "zoo_alias:Real"}}, zoo_alias=GOOD.format(name="Real"))
    with pytest.raises(registry.RegistrationError, match="'Real'"):
        models.resolve("Alias")


@pytest.mark.parametrize(
    "arguments", [["models"], ["list"], ["list", "losses"], ["--help"], ["check", "--help"], ["check"]]
)
def test_listing_and_help_import_no_torch(arguments):
    code = (
        "import sys; from tapezoo.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'lightning', 'mlflow', 'numba', 'scipy', 'onnxruntime'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert any(word in done.stdout + done.stderr for word in ("LSTM", "MRSTFT", "models", "check"))


def test_probing_a_package_for_an_attribute_it_does_not_have_fails_quietly():
    # jsonargparse looks for every class it knows in every package of a kind
    assert getattr(models, "NoSuchClass", None) is None
    with pytest.raises(AttributeError, match=r"Did you mean LSTM\?"):
        models.LTSM  # noqa: B018


METER = "from torchmetrics import MeanSquaredError\n\n\nclass Meter(MeanSquaredError):\n    pass\n"


def test_what_needs_an_extra_is_refused_with_what_to_install_before_it_is_imported(install):
    """An entry point names the extra of its distribution in brackets."""
    install(
        "zoo-meter",
        {"metrics": {"slow": "zoo_meter:Meter [loud]", "quick": "zoo_meter:Meter [there]"}},
        requires=[
            "a-package-that-is-not-there>=2; extra == 'loud'",
            "torch; extra == 'there'",
            "not-either; extra == 'other'",
        ],
        zoo_meter=METER,
    )
    with pytest.raises(registry.RegistrationError) as error:
        registry.load("metrics", "slow")
    assert "no package a-package-that-is-not-there" in str(error.value)
    assert "pip install 'zoo-meter[loud]'" in str(error.value)
    assert "zoo_meter" not in sys.modules
    with pytest.raises(registry.RegistrationError, match="zoo-meter"):
        registry.check_installed("metrics", "slow")
    found = {entry.name: entry for entry in registry.registrations("metrics")}
    assert found["slow"].missing == ["a-package-that-is-not-there"]
    assert found["quick"].missing == []
    assert metrics.resolve("quick").__name__ == "Meter"
