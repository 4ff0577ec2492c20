# Two images from one file: `docker build --target serve .` verifies, plays and serves bundles without torch;
# the last stage, the default, is the README's two commands: install and test at build time, fit by default.

FROM python:3.12-slim AS serve
RUN apt-get update && apt-get install --no-install-recommends --yes libsndfile1 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /tapezoo
COPY pyproject.toml setup.py README.md LICENSE constraints.txt ./
COPY recipes recipes
COPY tapezoo tapezoo
# the packages of docs/deploy.md: a registry's client and its server of models without the training's part of it
RUN pip install --no-cache-dir --constraint constraints.txt \
        numpy onnxruntime safetensors soundfile mlflow-skinny pandas \
    && pip install --no-cache-dir --no-deps .
ENTRYPOINT ["tapezoo"]
CMD ["--help"]

FROM python:3.12-slim
RUN apt-get update && apt-get install --no-install-recommends --yes git libsndfile1 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /tapezoo
COPY . .
RUN pip install --no-cache-dir --constraint constraints.txt --editable '.[dev]'
RUN bash tests/run
ENTRYPOINT ["tapezoo"]
CMD ["fit", "--config", "recipes/lstm.yaml"]
