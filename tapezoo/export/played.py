"""Results of the gates, so that the last check of a bundle need not play the same files again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tapezoo.bundle import CaseResult


@dataclass(frozen=True)
class Played:
    """Golden cases as targets played them, read back from their files.

    Args:
        hashes: sha256 of every file there was when they were played, by bundle path.
        results: By target name.
    """

    hashes: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, tuple[CaseResult, ...]] = field(default_factory=dict)

    def unless_changed(self, hashes: Mapping[str, str]) -> Mapping[str, tuple[CaseResult, ...]]:
        """`results`; none of them where a file is no longer what it was.

        Args:
            hashes: Of the finished bundle, which may hold more files.
        """
        unchanged = all(hashes.get(file) == sha256 for file, sha256 in self.hashes.items())
        return self.results if unchanged else {}
