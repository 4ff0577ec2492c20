"""The one thing that pyproject.toml cannot say: a wheel carries the recipes, which lie at the top of the repository."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildPy(build_py):
    """Copies `recipes/` into the package; an editable install finds them where they are written."""

    def run(self) -> None:
        """As the parent's, and the recipes."""
        super().run()
        if self.editable_mode:
            return
        for recipe in sorted(Path("recipes").rglob("*.yaml")):
            target = Path(self.build_lib, "tapezoo", recipe)
            self.mkpath(str(target.parent))
            self.copy_file(str(recipe), str(target))


setup(cmdclass={"build_py": BuildPy})
