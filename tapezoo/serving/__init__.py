"""A bundle as a service: behind MLflow (`served`), and over HTTP (`http`)."""

# versions registered before `tapezoo.tracking.loader` name this package as what loads them
from tapezoo.serving.served import _load_pyfunc as _load_pyfunc
