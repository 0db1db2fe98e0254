"""A PyTorch program's first step and its later ones: MoE, graph attention, or fine-tuning of GPT-2. Prints JSON.

    first_steps.py --program moe|graph|gpt2 [--steps N] [--plugin LIBRARY PREFIX] [--wait]

Models come from the configurations of transformers and torch_geometric, with random weights. With --plugin, PyTorch's
memory comes from a library's PREFIX_malloc and PREFIX_free. With --wait nothing is asked of the GPU before a line has come
on standard input, so that importing does not disturb who measures.
"""

import argparse
import ctypes
import json
import random
import statistics
import sys
import time

import torch
from torch.nn import functional


def moe():
    """Mixture of experts: many small operations."""
    from transformers import MixtralConfig, MixtralForCausalLM
    config = MixtralConfig(hidden_size=1024, intermediate_size=3584, num_hidden_layers=8, num_attention_heads=16,
                           num_key_value_heads=8, num_local_experts=8, num_experts_per_tok=2, vocab_size=32000,
                           use_cache=False)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = MixtralForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    pick, source = random.Random(1), torch.Generator(device="cuda").manual_seed(1)

    def step():
        tokens = torch.randint(32000, (4, pick.randint(200, 2000)), device="cuda", generator=source)
        loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


def graph():
    """Attention on graphs of all sizes."""
    from torch_geometric.nn import GATConv

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = GATConv(256, 128, heads=8), GATConv(1024, 64, heads=4)

        def forward(self, x, edges):
            return self.second(functional.elu(self.first(x, edges)), edges)

    model = Network().cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    pick, source = random.Random(2), torch.Generator(device="cuda").manual_seed(2)

    def step():
        nodes, degree = pick.randint(20_000, 200_000), pick.randint(4, 12)
        x = torch.randn(nodes, 256, device="cuda", generator=source)
        edges = torch.randint(nodes, (2, nodes * degree), device="cuda", generator=source)
        labels = torch.randint(256, (nodes,), device="cuda", generator=source)
        loss = functional.cross_entropy(model(x, edges), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


def gpt2():
    """Fine-tuning in batches of several sizes and lengths."""
    from transformers import GPT2Config, GPT2LMHeadModel
    config = GPT2Config(n_embd=1280, n_layer=24, n_head=20, n_positions=1600, use_cache=False)
    with torch.device("cuda"):
        model = GPT2LMHeadModel(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    pick, source = random.Random(3), torch.Generator(device="cuda").manual_seed(3)

    def step():
        shape = pick.choice([4, 6, 8]), pick.randint(100, 1600)
        tokens = torch.randint(config.vocab_size, shape, device="cuda", generator=source)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


PROGRAMS = {"moe": moe, "graph": graph, "gpt2": gpt2}


def use_plugin(library, prefix):
    plugin = torch.cuda.memory.CUDAPluggableAllocator(library, f"{prefix}_malloc", f"{prefix}_free")
    record_use = getattr(ctypes.CDLL(library), f"{prefix}_record_use", None)
    if record_use is not None:
        plugin.allocator().set_record_stream_fn(ctypes.cast(record_use, ctypes.c_void_p).value)
    torch.cuda.memory.change_current_allocator(plugin)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", choices=PROGRAMS, required=True)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--plugin", nargs=2, metavar=("LIBRARY", "PREFIX"))
    parser.add_argument("--wait", action="store_true")
    options = parser.parse_args()
    if options.program == "graph":
        import torch_geometric.nn  # noqa: F401
    else:
        import transformers.models.gpt2.modeling_gpt2
        import transformers.models.mixtral.modeling_mixtral  # noqa: F401
    if options.wait and not sys.stdin.readline():
        return  # nobody wants it any more
    if options.plugin:
        use_plugin(*options.plugin)
    torch.manual_seed(0)
    torch.ones(1, device="cuda")  # the context is no part of the first step
    start = time.perf_counter()
    step = PROGRAMS[options.program]()
    torch.cuda.synchronize()
    built = time.perf_counter() - start
    losses, times, used = [], [], 0
    for _ in range(1 + options.steps):
        start = time.perf_counter()
        losses.append(round(step(), 3))
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
        free, total = torch.cuda.mem_get_info()
        used = max(used, total - free)
    print(json.dumps({"results": losses, "first_s": round(times[0], 4), "later_s": round(sum(times[1:]), 4),
                      "median_ms": round(statistics.median(times[1:]) * 1e3, 3), "model_s": round(built, 4),
                      "peak_mib": used >> 20}), flush=True)


if __name__ == "__main__":
    main()
