"""tapezoo learns what an analog machine does to sound and hands over a verified artifact."""

import os

__version__ = "0.1.0"

# both report usage unless told not to, and read this while they are imported, by whichever module comes first
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
