# Prediction from ONNX files, without PyTorch: docs/deploy.md.
FROM python:3.11-slim
WORKDIR /classicpose
COPY pyproject.toml LICENSE README.md ./
COPY custom_modules custom_modules
COPY projects projects
COPY tools tools
RUN pip install --no-cache-dir ".[runtime]"
ENV NUMBA_CACHE_DIR=/tmp/numba
ENTRYPOINT ["python", "tools/predict.py"]
