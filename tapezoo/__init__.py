"""tapezoo learns what an analog machine does to sound and hands over a verified artifact."""

import os

__version__ = "0.1.0"

# both packages report usage by default, and read this when first imported, whichever module imports them
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
