# docker build -t dvidpy . && docker run -p 8000:8000 -v dvidpy:/data -e DVID_ADMIN_TOKEN=... dvidpy
FROM python:3.12-slim

RUN useradd --create-home --uid 10001 dvidpy && install -d -o dvidpy /data /app/kernels

WORKDIR /app/source
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY dvidpy dvidpy
RUN pip install --no-cache-dir -c constraints.txt . && rm -rf /app/source/*

USER dvidpy
WORKDIR /data
# Kernels are compiled here, never inside a request. numba wants to be able to write where its cache lies.
ENV NUMBA_CACHE_DIR=/app/kernels PYTHONUNBUFFERED=1
RUN dvidpy warm

VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
# Requests from outside the container need DVID_ADMIN_TOKEN to make repos.
CMD ["dvidpy", "serve", "--host", "0.0.0.0", "--port", "8000", "--data", "/data"]
