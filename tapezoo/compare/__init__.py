"""Several recipes under one budget on the same data: what is trained, where it lies, what comes out."""
