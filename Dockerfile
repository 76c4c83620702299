# tf-inverse in a container; the folder /data is for archives, networks and the cache.
#
#   docker build -t tf_inverse .    CPU; CUDA comes with TensorFlow's wheels:
#   docker build -t tf_inverse:gpu --build-arg EXTRA=gpu,safetensors .
#   docker run --rm -v "$PWD:/data" tf_inverse sample ship.h5 --targets=fc8:ship@p99:p99.8
#   docker run --rm --gpus=all -v "$PWD:/data" tf_inverse:gpu sample ship.h5 --device=gpu
#
# Add --user "$(id -u):$(id -g)" to own the files that are written.

ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim
# Extras of setup.py, with commas: gpu, hub, kerashub, onnx, publish, tensorboard, matconvnet, ...
ARG EXTRA=safetensors
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3013
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    wheel=$(echo /wheels/*.whl) && pip install --no-cache-dir "${wheel}[${EXTRA}]"
ENV TF_INVERSE_CACHE=/data/.cache
WORKDIR /data
# Any user may write there, so that --user does.
RUN useradd --uid 1000 --create-home sampler && chown sampler /data && chmod 1777 /data
USER 1000
ENTRYPOINT ["tf-inverse"]
CMD ["--help"]
