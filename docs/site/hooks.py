"""Pages of the site that are written from the code: reference, commands, recipes; and README as the first page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verb_help import verb_help  # beside this file, where mkdocs looks for the modules of a hook

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
COPIED = {
    "README.md": "index.md",
    "PLUGINS.md": "plugins.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
# title, and the public names on it
REFERENCE: dict[str, tuple[str, tuple[str, ...]]] = {
    "api/runtime.md": (
        "Playing and verifying",
        (
            "tapezoo.runtime.Stream",
            "tapezoo.runtime.SoftLimiter",
            "tapezoo.runtime.verify",
            "tapezoo.runtime.Apart",
            "tapezoo.runtime.engine_names",
        ),
    ),
    "api/nets.md": (
        "Nets and controls",
        ("tapezoo.net.Net", "tapezoo.controls", "tapezoo.play", "tapezoo.checkpoint"),
    ),
    "api/training.md": (
        "Training",
        (
            "tapezoo.training.trained.TrainedModel",
            "tapezoo.training.effect.EffectModel",
            "tapezoo.training.aim.Aim",
            "tapezoo.training.objective.Objective",
            "tapezoo.training.supervised.Supervised",
            "tapezoo.training.adversarial.Adversarial",
            "tapezoo.training.schedules.CosineDecay",
            "tapezoo.data.paired_audio.PairedAudio",
            "tapezoo.data.virtual_devices.VirtualDevices",
        ),
    ),
    "api/generators.md": (
        "Generators",
        (
            "tapezoo.tape.generator",
            "tapezoo.tape.model.GeneratorModel",
            "tapezoo.tape.denoising",
            "tapezoo.tape.diffusion_net.DiffusionNet",
            "tapezoo.tape.windows.SignalWindows",
        ),
    ),
    "api/parts.md": (
        "Devices, losses and metrics",
        (
            "tapezoo.devices.device.Device",
            "tapezoo.losses.base.Loss",
            "tapezoo.losses.esr.ESR",
            "tapezoo.losses.mrstft.MRSTFT",
            "tapezoo.metrics.energy_ratio.ESR",
            "tapezoo.metrics.noise_spectrum.NoiseSpectrumDistance",
            "tapezoo.metrics.predicted_mushra.PredictedMUSHRA",
        ),
    ),
    "api/export.md": (
        "Export",
        (
            "tapezoo.export.build.export_bundle",
            "tapezoo.export.trained.export_checkpoint",
            "tapezoo.export.targets.target.Target",
            "tapezoo.export.targets.target.Part",
        ),
    ),
    "api/laws.md": ("Laws", ("tapezoo.testing",)),
    "api/registry.md": ("Registry and errors", ("tapezoo.registry", "tapezoo.errors")),
}
LINK = re.compile(r"(\]\(|src=\")([^)#\s\"]+)((?:#[^)\s\"]*)?[)\"])")
KEYWORD = re.compile(r" ([a-z]+): +(.*)")  # of a recipe's header, at the start of a line
OUTSIDE = re.compile(r"^(https?|mailto):")


def generated() -> dict[str, str]:
    """The text of every page that is no file of docs, by its place in the site."""
    pages = {place: moved((ROOT / name).read_text(encoding="utf-8"), name) for name, place in COPIED.items()}
    pages |= {place: _reference(*page) for place, page in REFERENCE.items()}
    return {**pages, "recipes.md": recipes_page(), "commands.md": commands_page()}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages to those of docs."""
    from mkdocs.structure.files import File

    for place, text in generated().items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links of docs to the rest of the repository lead to the pages of the site."""
    place = page.file.src_uri
    return moved(markdown, f"docs/{place}") if (ROOT / "docs" / place).is_file() else markdown


def moved(text: str, name: str) -> str:
    """A page's text with its links as the site has them.

    Args:
        text: Markdown.
        name: Where it lies in the repository.

    Raises:
        ValueError: A link that leads to no page of the site.
    """

    def lead(link: re.Match[str]) -> str:
        before, target, after = link.groups()
        if OUTSIDE.match(target):
            return link[0]
        path = (ROOT / name).parent.joinpath(target).resolve().relative_to(ROOT).as_posix()
        if path.startswith("docs/"):
            return f"{before}{path.removeprefix('docs/')}{after}"
        if path in COPIED:
            return f"{before}{COPIED[path]}{after}"
        if path.startswith("recipes/"):
            return f"{before}recipes.md#{anchor(path)}{after[-1]}"
        raise ValueError(f"{name}: the link {target} leads to no page of the site")

    return LINK.sub(lead, text)


def anchor(recipe: str) -> str:
    """The place of a recipe on the page of recipes."""
    return re.sub(r"[^a-z0-9]+", "-", recipe.removeprefix("recipes/").removesuffix(".yaml").lower())


def recipes_page() -> str:
    """Every recipe with its header, sorted by folder."""
    paths = sorted((ROOT / "recipes").rglob("*.yaml"), key=lambda path: (len(path.parts), path))
    texts = [
        "# Recipes",
        "Every recipe is a file in `recipes/`: `tapezoo fit --config recipes/NAME.yaml`. Its header names the device, "
        "the paper and what it reached. [Training](training.md) says which one to choose.",
    ]
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        title = name.removeprefix("recipes/").removesuffix(".yaml")
        header, body = recipe_parts(path.read_text(encoding="utf-8"))
        texts += [f"## {title} {{ #{anchor(name)} }}", header, f"```yaml\n{body}\n```"]
    return "\n\n".join(texts) + "\n"


def recipe_parts(text: str) -> tuple[str, str]:
    """The header of a recipe as Markdown, its keywords as a list, and the YAML below it."""
    lines = text.strip().splitlines()
    length = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    header = ""
    for line in (line.removeprefix("#") for line in lines[:length]):
        keyword = KEYWORD.match(line)
        header += f"\n- *{keyword[1]}:* {keyword[2]}" if keyword else f" {line.strip()}"
    return header.strip().replace("\n", "\n\n", 1), "\n".join(lines[length:])


def commands_page() -> str:
    """The help of every verb, as its parser prints it."""
    texts = [
        "# Command line",
        "What `tapezoo VERB --help` prints. `tapezoo fit --help all` prints every option of a training.",
    ]
    texts += [f"## {verb}\n\n```text\n{text.strip()}\n```" for verb, text in verb_help()]
    return "\n\n".join(texts) + "\n"


def _reference(title: str, names: tuple[str, ...]) -> str:
    return "\n\n".join([f"# {title}", *(f"::: {name}" for name in names)]) + "\n"
