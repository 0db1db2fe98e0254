"""A JAX program: training steps of a small network. Prints its losses, as JSON. Who serves memory is chosen by JAX's
own environment variables.
"""

import json
import os
import statistics
import time

os.environ.setdefault("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")

import jax  # noqa: E402
from jax import numpy as jnp  # noqa: E402

WIDTH, LAYERS, BATCH, STEPS, WARM_UP = 4096, 6, 2048, 30, 3


def loss_of(weights, x, y):
    for weight in weights:
        x = jnp.tanh(x @ weight)
    return jnp.mean((x - y) ** 2)


@jax.jit
def step(weights, x, y):
    loss, gradients = jax.value_and_grad(loss_of)(weights, x, y)
    return loss, [w - 0.5 * g for w, g in zip(weights, gradients)]


def main():
    if jax.default_backend() != "gpu":
        raise SystemExit(f"JAX runs on {jax.default_backend()}, not on the GPU")
    keys = jax.random.split(jax.random.PRNGKey(1), LAYERS + 2)
    weights = [jax.random.normal(k, (WIDTH, WIDTH), jnp.float32) / WIDTH**0.5 for k in keys[:LAYERS]]
    x, y = (jax.random.normal(k, (BATCH, WIDTH), jnp.float32) for k in keys[LAYERS:])
    losses, times = [], []
    for _ in range(WARM_UP + STEPS):
        start = time.perf_counter()
        loss, weights = step(weights, x, jnp.tanh(y))
        losses.append(float(loss))
        times.append(time.perf_counter() - start)
    peak = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    print(json.dumps({"results": losses, "ms_per_step": round(statistics.median(times[WARM_UP:]) * 1e3, 3),
                      "peak_mib": peak and peak >> 20}))


if __name__ == "__main__":
    main()
