# People out of images and videos, without PyTorch: docs/deploy.md.
FROM python:3.11-slim
WORKDIR /classicpose
COPY pyproject.toml LICENSE README.md ./
COPY classicpose classicpose
RUN pip install --no-cache-dir .
ENTRYPOINT ["classicpose", "predict"]
