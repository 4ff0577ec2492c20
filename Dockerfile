# The README's two commands in a container: install and test at build time, fit by default.
FROM python:3.12-slim
RUN apt-get update && apt-get install --no-install-recommends --yes git libsndfile1 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /tapezoo
COPY . .
RUN pip install --no-cache-dir --constraint constraints.txt --editable '.[dev]'
RUN bash tests/run
ENTRYPOINT ["tapezoo"]
CMD ["fit", "--config", "recipes/lstm.yaml"]
