"""What an ONNX file of a bundle may hold: nothing outside itself, plain operators, and what the manifest says."""

from __future__ import annotations

from pathlib import Path

from tapezoo.bundle.errors import BundleError
from tapezoo.bundle.manifest import Manifest
from tapezoo.bundle.onnx_file import OnnxFacts, Port, read_onnx
from tapezoo.bundle.onnx_work import check_work

# ONNX's own operators under both names, and those that every onnxruntime brings along (int8)
DOMAINS = {"", "ai.onnx", "com.microsoft"}


def inspect_onnx(root: Path, file: str, manifest: Manifest) -> None:
    """Refuses a graph that may not be opened, or a target that is not what the manifest says.

    Raises:
        BundleError: See `inspect`.
    """
    facts = check_onnx(root, file)
    if file in manifest.targets.values():
        _check_signature(root, file, facts, manifest)


def check_onnx(root: Path, file: str) -> OnnxFacts:
    """What an ONNX file of a bundle says of itself, if it may be opened.

    Raises:
        BundleError: See `inspect`.
    """
    try:
        facts = read_onnx((root / file).read_bytes())
    except (ValueError, RecursionError, OverflowError, MemoryError) as error:
        raise BundleError.about(
            root, file, f"no readable ONNX graph ({error})", "a graph made by export"
        ) from error
    if facts.external:
        names = ", ".join(map(repr, facts.external[:3]))
        raise BundleError.about(
            root, file, f"weights stored in another file ({names})", "all weights in this file"
        )
    if facts.functions:
        raise BundleError.about(
            root, file, f"{facts.functions[0]} in the graph", "plain operators and tensors"
        )
    if strange := sorted(facts.domains - DOMAINS):
        raise BundleError.about(
            root,
            file,
            f"operators of the domain {strange[0]!r}",
            "only operators that onnxruntime itself has",
        )
    if facts.non_finite:
        raise BundleError.about(
            root, file, f"NaN or infinite values in {facts.non_finite[0]!r}", "finite weights"
        )
    try:
        check_work(facts.graph)
    except ValueError as error:
        raise BundleError.about(
            root, file, str(error), "no more computation than a net of this size needs"
        ) from error
    return facts


def _check_signature(root: Path, file: str, facts: OnnxFacts, manifest: Manifest) -> None:
    state = [(tensor.name, tensor.dtype, (None, *tensor.shape)) for tensor in manifest.state]
    audio = (None, 1, None)
    inputs = [
        Port("input", "float32", audio),
        Port("controls", "float32", (None, len(manifest.controls))),
        *(Port(f"state_{name}", dtype, shape) for name, dtype, shape in state),
    ]
    outputs = [
        Port("output", "float32", audio),
        *(Port(f"next_{name}", dtype, shape) for name, dtype, shape in state),
    ]
    for what, found, wanted in (("inputs", facts.inputs, inputs), ("outputs", facts.outputs, outputs)):
        names = [port.name for port in wanted]
        if [port.name for port in found] != names:
            shown = ", ".join(port.name for port in found)
            raise _contradiction_error(root, file, f"the {what} {shown}", ", ".join(names))
        for port, other in zip(found, wanted, strict=True):
            if not _agree(port, other, exact=what == "inputs"):
                raise _contradiction_error(root, file, _describe(port), _describe(other))
    for name, value in (("architecture", manifest.architecture), ("sample_rate", str(manifest.sample_rate))):
        if facts.metadata.get(name, value) != value:
            raise _contradiction_error(root, file, f"the {name} {facts.metadata[name]!r}", repr(value))


def _agree(found: Port, wanted: Port, exact: bool) -> bool:
    """Whether it is so: outputs may leave open what shape inference could not tell, inputs may not."""
    if found.dtype != wanted.dtype or len(found.shape) != len(wanted.shape):
        return False
    return all(
        size == right or (size is None and not exact)
        for size, right in zip(found.shape, wanted.shape, strict=True)
    )


def _describe(port: Port) -> str:
    sizes = ", ".join("any" if size is None else str(size) for size in port.shape)
    return f"{port.name} {port.dtype} ({sizes})"


def _contradiction_error(root: Path, file: str, found: str, wanted: str) -> BundleError:
    return BundleError.about(root, file, found, f"{wanted}, as the manifest says")
