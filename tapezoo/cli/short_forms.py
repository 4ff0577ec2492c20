"""The short forms of the training command line, and the recipe it names, read before any parser sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tapezoo import tape
from tapezoo.cli.early_answers import MAX_TIME, check_length, check_max_time, check_options
from tapezoo.cli.errors import RecipeError
from tapezoo.cli.old_spellings import SUPERVISED, check_option, renew_recipe
from tapezoo.cli.recipe_text import check_flow_value, read_recipe
from tapezoo.cli.shipped_recipes import find_recipe
from tapezoo.cli.training_options import ALLOW_IMPORT
from tapezoo.errors import UsageError
from tapezoo.registry import registrations
from tapezoo.run_files import CONFIG, check_present
from tapezoo.yamltext import YamlError

# options whose value may be a name alone, and where the registry answers for it
NAMED = {
    "--model": "tapezoo.models",
    "--model.help": "tapezoo.models",
    "--data": "tapezoo.data",
    "--data.help": "tapezoo.data",
    "--model.objective": "tapezoo.training",
    "--model.objective.help": "tapezoo.training",
    "--model.objective.loss": "tapezoo.losses",
    "--model.objective.loss.help": "tapezoo.losses",
}
DENOISING = "tapezoo.training.Denoising"  # the default objective of generators
RECORDINGS = ("--data.dry", "--data.wet", "--data.pairs")
OVERWRITE = "--overwrite"
RECIPE_OPTIONS = ("--config", "-c")


def split_allowed(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments without every `--allow-import PACKAGE`, and those packages.

    No parser sees the option, so that no recipe can give it to itself.

    Raises:
        UsageError: The option without a package, or with something that is none.
    """
    rest: list[str] = []
    packages: list[str] = []
    pending = list(arguments)
    while pending:
        argument = pending.pop(0)
        option, equals, value = argument.partition("=")
        if option not in (ALLOW_IMPORT, "--allow_import"):
            rest.append(argument)
            continue
        package = value if equals else (pending.pop(0) if pending else "")
        if not all(part.isidentifier() for part in package.split(".")) or package.startswith("jsonargparse"):
            command = " ".join(["tapezoo", *arguments[:1]])
            raise UsageError(command, f"{ALLOW_IMPORT} {package}, which is not the name of a package")
        packages.append(package)
    return rest, packages


def expand(arguments: list[str], tell: Callable[[str], None] = lambda line: None) -> list[str]:
    """`--model LSTM` and `--config lstm` written out, and `--config` of the checkpoint's run where no recipe is named.

    Recipes come first, in their order: what the line says besides holds, wherever on the line it stands.

    Args:
        arguments: The verb, and what follows it.
        tell: Told which file a recipe's name stands for, see `find_recipe`.

    Raises:
        RecipeError: The recipe is missing, or is no YAML mapping.
        UsageError: A mapping or list on the line that says something else than it seems to.
        RecipeError, CheckpointError: A checkpoint that does not bring its recipe along.
    """
    if len(arguments) > 1 and not arguments[1].startswith("-"):
        option = "--ckpt_path" if arguments[1].endswith(".ckpt") else "--config"
        raise UsageError(
            f"tapezoo {arguments[0]}",
            f"{arguments[1]!r}, which is no option; did you mean {option} {arguments[1]}?",
        )
    arguments = _recipes_first(arguments, tell)
    expanded: list[str] = []
    for position, argument in enumerate(arguments):
        option, _, value = argument.partition("=")
        before = arguments[position - 1] if position else ""
        if before in NAMED and _is_name(argument):
            argument = _whole_name(before, argument)
        elif option in NAMED and _is_name(value):
            argument = f"{option}={_whole_name(option, value)}"
        expanded.append(argument)
        after = arguments[position + 1] if position + 1 < len(arguments) else "--"
        if argument == OVERWRITE and after.startswith("-"):
            expanded.append("true")  # the other verbs' form, and the one that errors ask for
        _check_value(arguments, position)
    recipe_path = _option(expanded, "--config") or _option(expanded, "-c")
    recipe = None if recipe_path is None else read_recipe(Path(recipe_path))
    checkpoint_path = _option(expanded, "--ckpt_path")
    if checkpoint_path and recipe_path is None and _option(expanded, "--model") is None:
        beside = Path(checkpoint_path).parent / CONFIG
        if not beside.is_file():
            check_present(Path(checkpoint_path))  # a wrong path is the likelier fault
            from tapezoo.checkpoint import read_checkpoint  # brings torch

            read_checkpoint(Path(checkpoint_path))
            raise RecipeError(
                str(beside),
                found="no recipe beside the checkpoint",
                expected=f"the {CONFIG} that fit wrote there",
                fix="Pass --config RECIPE.",
            )
        expanded[1:1] = ["--config", str(beside)]
        recipe = read_recipe(beside)
    _check_recordings(expanded, recipe)
    return _with_objective(expanded, recipe)


def _whole_name(option: str, name: str) -> str:
    """The class path of a name alone: `--model` and `--data` take what `tapezoo.tape` has as well."""
    package = NAMED[option]
    if package == "tapezoo.models" and any(found.name == name for found in registrations("generators")):
        package = "tapezoo.tape"
    if package == "tapezoo.data":
        if name not in tape.OWN_MODULES:
            return name  # the parser knows those of tapezoo.data by their names
        package = "tapezoo.tape"
    return f"{package}.{name}"


def check_complete(arguments: list[str]) -> None:
    """Refuses what names no model, no data, recordings by half or unknown options, before anything heavy is imported.

    Args:
        arguments: What `expand` returned, of a line that asks for no page of help.

    Raises:
        UsageError: An option that no training verb has.
        RecipeError: No recipe, and no model or no data; or a time limit in another form than DD:HH:MM:SS.
        DataError: Neither one pair nor a pairs file for PairedAudio, or a pair that is too short.
    """
    check_options(arguments)
    check_max_time(_option(arguments, MAX_TIME), f"{MAX_TIME} on the command line")
    options = [argument.partition("=")[0] for argument in arguments]
    if any(option.endswith(".help") for option in options):
        return
    recipes = [
        read_recipe(Path(arguments[at + 1]) if option == argument else Path(argument.partition("=")[2]))
        for at, (option, argument) in enumerate(zip(options, arguments, strict=True))
        if option in RECIPE_OPTIONS
    ]
    for section in ("model", "data") if not recipes else ():  # what a recipe lacks its parser says
        if not any(option in (f"--{section}", f"--{section}.class_path") for option in options):
            raise RecipeError(
                " ".join(["tapezoo", *arguments[:1]]),
                found=f"no recipe and no --{section}",
                expected="--config with a recipe, or --model NAME and --data CLASS",
                fix="Pass a recipe, such as --config lstm; `tapezoo recipes` lists those of tapezoo.",
            )
    for recipe in recipes:
        trainer = recipe.get("trainer")
        if isinstance(trainer, Mapping):
            check_max_time(trainer.get("max_time"), "trainer.max_time in the recipe")
    if len(recipes) < 2:  # else jsonargparse knows what comes of them
        _check_pair_is_whole(arguments, recipes[0].get("data") if recipes else None)


def _check_pair_is_whole(arguments: list[str], in_recipe: Any) -> None:
    data = in_recipe if isinstance(in_recipe, Mapping) else {}
    said = _option(arguments, "--data") or _option(arguments, "--data.class_path")
    if (said or data.get("class_path")) not in ("PairedAudio", "tapezoo.data.PairedAudio"):
        return
    from tapezoo.data.named_recordings import named_pairs, read_headers  # brings numpy and soundfile

    in_class = data.get("init_args") or {}
    # what another class has of the recordings' names it cannot mean; the sizes of segments are kept
    kept = in_class if str(data.get("class_path")).endswith("PairedAudio") else {}
    values = [_of_data(arguments, name, kept) for name in ("dry", "wet", "pairs")]
    recordings = named_pairs(*(None if value is None else str(value) for value in values))
    if values[2] is not None or not all(Path(str(value)).exists() for value in values[:2]):
        return  # a pairs file says itself what is trained on
    sizes = {name: _of_data(arguments, name, in_class) for name in ("segment_samples", "burn_in_samples")}
    said_sizes = {name: size for name, size in sizes.items() if size is not None}
    check_length(read_headers(recordings)[0], said_sizes)


def _of_data(arguments: list[str], name: str, kept: Mapping[str, Any]) -> Any:
    """An argument of the data, from the line or else from the recipe; None: not said."""
    value = _option(arguments, f"--data.{name}") or _option(arguments, f"--data.init_args.{name}")
    value = kept.get(name) if value is None else value
    return None if value in (None, "null") else value


def _check_recordings(arguments: list[str], recipe: Any) -> None:
    """Refuses recordings that are not there, do not fit together, or are for data that take none.

    All of it before torch is imported.
    """
    given = {option: value for option in RECORDINGS if (value := _option(arguments, option)) is not None}
    is_whole = set(given) in (
        {"--data.pairs"},
        {"--data.dry", "--data.wet"},
    )  # else the data says what is missing
    for option, value in given.items() if is_whole else ():
        if not Path(value).exists():
            what = "a pairs file" if option == "--data.pairs" else "a sound file"
            raise RecipeError(
                value,
                found="no file",
                expected=f"{what} for {option}",
                fix="Correct the path; it counts from the working directory.",
            )
    data = recipe.get("data") if isinstance(recipe, Mapping) else None
    in_recipe = data.get("class_path") if isinstance(data, Mapping) else None
    said = _option(arguments, "--data") or _option(arguments, "--data.class_path")
    name = str(said or in_recipe).rpartition(".")[2]
    if is_whole and name == "PairedAudio":
        from tapezoo.data.named_recordings import named_pairs, read_headers  # brings numpy and soundfile

        read_headers(named_pairs(*map(given.get, RECORDINGS)))
    if given and name in tape.OWN_MODULES:
        raise UsageError(
            " ".join(["tapezoo", *arguments[:1]]),
            f"{', '.join(given)} for a recipe of a generator; MeasuredTransport and MeasuredNoise take --data.sources",
        )
    if given and said is None and name == "VirtualDevices":
        raise UsageError(
            " ".join(["tapezoo", *arguments[:1]]),
            f"{', '.join(given)} for a recipe that trains on a virtual machine; add --data PairedAudio",
        )


def _with_objective(arguments: list[str], recipe: Any) -> list[str]:
    """`--model.objective.loss L` where nobody names an objective: it is an option of the default one."""
    model = {} if recipe is None else renew_recipe(recipe)[0].get("model", {})
    named = not isinstance(model, Mapping) or (model.get("init_args") or {}).get("objective") is not None
    first = next((at for at, each in enumerate(arguments) if each.startswith("--model.objective.")), None)
    if named or first is None or is_said(arguments, "--model.objective"):
        return arguments
    said = _option(arguments, "--model") or _option(arguments, "--model.class_path")
    is_generator = str(said or model.get("class_path")).startswith("tapezoo.tape.")
    return [
        *arguments[:first],
        "--model.objective",
        DENOISING if is_generator else SUPERVISED,
        *arguments[first:],
    ]


def _is_name(text: str) -> bool:
    return text.isidentifier() and text != "null"


def _recipes_first(arguments: list[str], tell: Callable[[str], None]) -> list[str]:
    recipes: list[str] = []
    rest: list[str] = []
    pending = arguments[1:]
    while pending:
        argument = pending.pop(0)
        option, equals, value = argument.partition("=")
        if option not in RECIPE_OPTIONS or not (equals or pending):
            rest.append(argument)
            continue
        recipes += [option, str(find_recipe(value if equals else pending.pop(0), tell))]
    return [*arguments[:1], *recipes, *rest]


def _check_value(arguments: list[str], position: int) -> None:
    option, equals, value = arguments[position].partition("=")
    if not (equals and option.startswith("-")):
        option, value = arguments[position - 1] if position else "", arguments[position]
    check_option(arguments[position].partition("=")[0], "")
    check_option(option, value)
    try:
        check_flow_value(value)
    except YamlError as error:
        raise UsageError(
            " ".join(["tapezoo", *arguments[:1]]), f"{option} with {error.found} ({error.fix.rstrip('.')})"
        ) from error


def is_said(arguments: list[str], name: str) -> bool:
    """Whether the line itself, and not its recipe alone, has the option."""
    return _option(arguments, name) is not None


def has_option(arguments: Sequence[str], name: str) -> bool:
    """Whether the line has an option that needs no value."""
    return any(argument.partition("=")[0] == name for argument in arguments)


def _option(arguments: list[str], name: str) -> str | None:
    for position, argument in enumerate(arguments):
        if argument == name and position + 1 < len(arguments):
            return arguments[position + 1]
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
    return None
