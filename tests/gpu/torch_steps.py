"""A PyTorch program: matrix products, or training steps of a small GPT. Prints what they came to, as JSON.

    torch_steps.py --phase matmul|train|variable [--steps N]

Deterministic: `results` must not depend on which allocator serves the memory. Steps before the timed ones warm up.
"""

import argparse
import json
import math
import os
import random
import statistics
import time

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what deterministic matrix products need

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

WIDTH, LAYERS, HEADS, VOCABULARY, LENGTH, BATCH = 1024, 12, 16, 32000, 1024, 8  # about 220 million parameters
WARM_UP = 2


class Layer(nn.Module):
    """Attention written out, with all its temporaries: what makes allocators work."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x, mask):
        batch, length, _ = x.shape
        q, k, v = self.qkv(self.first(x)).view(batch, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        scores = (q @ k.transpose(-1, -2)) / math.sqrt(WIDTH // HEADS) + mask
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, WIDTH)
        x = x + self.out(mixed)
        return x + self.down(functional.gelu(self.up(self.second(x))))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, tokens):
        length = tokens.shape[1]
        mask = torch.full((length, length), float("-inf"), device=tokens.device, dtype=torch.bfloat16).triu(1)
        x = self.tokens(tokens) + self.places(torch.arange(length, device=tokens.device))
        for layer in self.layers:
            x = layer(x, mask)
        return self.head(self.norm(x))


def train(steps, variable):
    torch.manual_seed(1)
    model = Model().cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    pick = random.Random(2)
    source = torch.Generator().manual_seed(3)

    def step():
        length = pick.randrange(128, LENGTH + 1) if variable else LENGTH
        tokens = torch.randint(VOCABULARY, (BATCH, length), generator=source).cuda()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            logits = model(tokens[:, :-1])
            loss = functional.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return timed(step, steps)


def products(steps):
    torch.manual_seed(4)
    pick = random.Random(5)

    def step():
        rows, inner, columns = (128 * pick.randint(4, 48) for _ in range(3))
        a = torch.randn(rows, inner, device="cuda", dtype=torch.bfloat16)
        b = torch.randn(inner, columns, device="cuda", dtype=torch.bfloat16)
        return (torch.relu(a @ b) @ b.t()).float().abs().mean().item()

    return timed(step, steps)


def timed(step, steps):
    results, times, used = [], [], 0
    for _ in range(WARM_UP + steps):
        start = time.perf_counter()
        results.append(step())
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
        free, total = torch.cuda.mem_get_info()
        used = max(used, total - free)
    return results, times[WARM_UP:], used


def statistic(name):
    try:
        return torch.cuda.memory_stats().get(name, 0) >> 20
    except (RuntimeError, AssertionError):  # not every allocator keeps them
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--phase", choices=["matmul", "train", "variable"], required=True)
    parser.add_argument("--steps", type=int, default=6)
    options = parser.parse_args()
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cuda.matmul.allow_tf32 = True
    if options.phase == "matmul":
        results, times, used = products(options.steps)
    else:
        results, times, used = train(options.steps, options.phase == "variable")
    print(json.dumps({
        "results": results, "ms_per_step": round(statistics.median(times) * 1e3, 3),
        "ms_first_and_last": [round(times[0] * 1e3, 3), round(times[-1] * 1e3, 3)], "peak_mib": used >> 20,
        "torch_allocated_peak_mib": statistic("allocated_bytes.all.peak"),
        "torch_reserved_peak_mib": statistic("reserved_bytes.all.peak"), "backend": torch.cuda.get_allocator_backend()}))


if __name__ == "__main__":
    main()
