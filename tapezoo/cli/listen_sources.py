"""What `tapezoo listen` is given: models by name, and the recordings that they play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapezoo.errors import ArgumentsError
from tapezoo.listening.design import RESERVED

if TYPE_CHECKING:
    from tapezoo.listening.material import Material
    from tapezoo.listening.systems import System

VERB = "tapezoo listen"


def named_sources(arguments: Sequence[str]) -> dict[str, Path]:
    """Names and places of what is judged, in order.

    Args:
        arguments: SOURCE or NAME=SOURCE each.

    Raises:
        ArgumentsError: A name twice, or one that a test uses itself.
    """
    found: dict[str, Path] = {}
    for argument in arguments:
        name, equals, place = argument.partition("=")
        is_named = equals and name and place and "/" not in name and not Path(argument).exists()
        path = Path(place if is_named else argument)
        name = name if is_named else _name_of(path)
        if name in RESERVED:
            raise ArgumentsError(
                VERB, f"the name {name!r}, which a test uses itself; give another, NAME={path}"
            )
        if name in found:
            raise ArgumentsError(
                VERB, f"two sources with the name {name!r}; give them names, as in old={path}"
            )
        found[name] = path
    return found


def _name_of(path: Path) -> str:
    from tapezoo.run_files import BEST

    if path.name == BEST:
        return path.absolute().parent.name
    return path.absolute().name.removesuffix(".ckpt")


def resolve(path: Path) -> tuple[Path, bool]:
    """What is played, and whether it is a bundle; imports no torch.

    Raises:
        ArgumentsError: A sound file.
        CheckpointError: There is nothing of this name.
    """
    from tapezoo.cli.render import bundle_of
    from tapezoo.run_files import best_checkpoint, is_sound

    if is_sound(path):
        raise ArgumentsError(
            VERB,
            f"{path}, a sound file, in place of a model; what is judged are runs, checkpoints and bundles. To hear "
            "them on a recording of yours, add --dry FILE --wet FILE",
        )
    bundle = bundle_of(path)
    return (bundle, True) if bundle is not None else (best_checkpoint(path), False)


def first_run(found: Sequence[tuple[Path, bool]]) -> Path:
    """The folder of the first run among what `resolve` found; its test split is heard.

    Raises:
        ArgumentsError: There is none.
    """
    from tapezoo.run_files import CONFIG

    for path, is_bundle in found:
        if not is_bundle and (path.parent / CONFIG).is_file():
            return path.parent
    raise ArgumentsError(
        VERB,
        "no run among the sources, whose test split could be heard; name a recording: --dry FILE --wet FILE",
    )


def open_systems(sources: Mapping[str, Path], found: Sequence[tuple[Path, bool]]) -> list[System]:
    """The models, ready to play.

    Args:
        sources: Names and places as they were given: a test keeps these, not where a shipped bundle lies here.
        found: See `resolve`, in the same order.

    Raises:
        TapezooError: A checkpoint or a bundle that cannot be read.
    """
    from tapezoo.listening.systems import system_of_bundle, system_of_checkpoint

    opened = []
    for (name, given), (path, is_bundle) in zip(sources.items(), found, strict=True):
        system = system_of_bundle(path, name) if is_bundle else system_of_checkpoint(path, name)
        opened.append(replace(system, source=given))
    return opened


def material_of_run(run_dir: Path, trained: System) -> Material:
    """The test split of a run.

    Args:
        run_dir: Its folder.
        trained: Its model.

    Raises:
        ListeningError: No recipe, recordings that moved, or others than those it was trained on.
    """
    from tapezoo.cli.allowed_imports import allow_imports
    from tapezoo.cli.faults import as_user_errors
    from tapezoo.data.errors import DataError, SoundFileError
    from tapezoo.data.opening import open_data
    from tapezoo.listening.errors import ListeningError
    from tapezoo.listening.material import material_of_data
    from tapezoo.run_files import CONFIG
    from tapezoo.yamltext import parse_yaml

    recipe = run_dir / CONFIG
    allow_imports([])
    try:
        content = parse_yaml(recipe.read_text(encoding="utf-8"))
        section: Mapping[str, Any] = content["data"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ListeningError(
            str(recipe),
            found=f"no recipe ({type(error).__name__})",
            expected="the recipe that `tapezoo fit` left in its run",
            fix="Name a recording instead: --dry FILE --wet FILE.",
        ) from error
    try:
        with as_user_errors(VERB):
            material = material_of_data(open_data(section), f"the test split of {run_dir}")
    except (SoundFileError, DataError) as error:
        raise ListeningError(
            str(run_dir),
            found=f"recordings that cannot be read again ({error.subject}: {error.found})",
            expected="those of its recipe, where they were",
            fix="Run it where the training ran, or name a recording: --dry FILE --wet FILE.",
        ) from error
    if trained.dataset_hash and trained.dataset_hash != material.dataset_hash:
        raise ListeningError(
            str(run_dir),
            found=f"recordings that were changed since the training (data set {trained.dataset_hash[:12]}, now "
            f"{material.dataset_hash[:12]})",
            expected="those it was trained on: where the test split lies now, the training may have been",
            fix="Put them back, or name a recording: --dry FILE --wet FILE.",
        )
    return material


def material_of_recording(
    dry: Path, wet: Path, systems: Sequence[System], setting: Mapping[str, float]
) -> Material:
    """One recording.

    Args:
        dry: The machine's input.
        wet: Its output.
        systems: The models, held at its setting.
        setting: Where the machine's controls stood, in their own units.

    Raises:
        TapezooError: Files that do not fit together, or models of another rate.
    """
    from tapezoo.data.audio import read_header
    from tapezoo.listening.material import Material, material_of_pair
    from tapezoo.listening.systems import check_systems

    # before the recording is read and aligned
    check_systems(systems, Material(wet.name, read_header(wet).sample_rate, (), []))
    return material_of_pair(dry, wet, setting)
