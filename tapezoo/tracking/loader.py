"""What MLflow imports to load a registered version: `tapezoo.serving.served`, with refusals as MLflow answers them.

For any other exception MLflow's server answers "unexpected error" and a stack trace with the server's paths.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from tapezoo.bundle.play import Audio
from tapezoo.errors import TapezooError
from tapezoo.serving import served as serving


class RefusedRequestError(MlflowException):
    """A request that tapezoo refuses, in its own sentence; status 400."""

    def __init__(self, error: TapezooError) -> None:
        super().__init__(str(error), error_code=INVALID_PARAMETER_VALUE)
        self._sentence = str(error)

    def serialize_as_json(self) -> str:
        """The answer's body; MLflow's own has the request's samples before the reason."""
        return json.dumps({"error_code": self.error_code, "message": self._sentence})


class MlflowEffect:
    """`Effect` as MLflow calls it."""

    def __init__(self, effect: serving.Effect) -> None:
        self._effect = effect

    def predict(self, model_input: Audio, params: Mapping[str, Any] | None = None) -> Audio:
        """See `Effect.predict`.

        Raises:
            RefusedRequestError: What `Effect.predict` raises.
        """
        try:
            return self._effect.predict(model_input, params)
        except TapezooError as error:
            raise RefusedRequestError(error) from error


def _load_pyfunc(path: str) -> MlflowEffect:  # the name is MLflow's
    return MlflowEffect(serving._load_pyfunc(path))
