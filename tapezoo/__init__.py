"""tapezoo learns what an analog machine does to sound and hands over a verified artifact."""

__version__ = "0.1.0"
