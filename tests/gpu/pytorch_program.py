"""What pytorch_ways.py runs in a process of its own: steps of a model, or one check. Prints JSON as its last line.

    pytorch_program.py [--enable] steps lora|graph|gpt2|moe|generation COUNT
    pytorch_program.py [--enable] check out_of_memory|batch_size|graph|mem_pool|record_stream|loader|ddp|figures

With --enable gmlake is PyTorch's allocator; otherwise that is what the environment makes of it.
"""

import argparse
import json
import os
import time

import torch

GIB = 1 << 30


def steps(program, count):
    import first_steps
    import generation_steps
    import lora_steps

    torch.manual_seed(0)
    step = {**first_steps.PROGRAMS, "lora": lora_steps.lora, "generation": generation_steps.generation}[program]()
    results, times = [], []
    for _ in range(count):
        start = time.perf_counter()
        results.append(round(step(), 2))
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return {"results": results, "later_s": round(sum(times[count // 2:]), 3)}


def out_of_memory():
    """Caught as trainers do it; then memory is there again, twice over."""
    kept = torch.ones(GIB // 4, device="cuda")
    messages, caught = [], 0
    for _ in range(2):
        try:
            torch.empty(1 << 42, dtype=torch.uint8, device="cuda")
        except RuntimeError as error:  # torch.OutOfMemoryError is one
            messages.append(str(error))
            # backend:cudaMallocAsync has other words than the caching allocator, natively too.
            caught += isinstance(error, torch.OutOfMemoryError) or str(error).startswith("CUDA out of memory.")
    torch.cuda.empty_cache()
    total = sum(float(torch.ones(GIB // 4, device="cuda").sum()) for _ in range(4)) + float(kept.sum())
    fine = len(messages) == caught == 2 and total == 5 * (GIB // 4)
    return {"ok": fine, "said": messages[0].splitlines()[0][:200] if messages else "nothing"}


def batch_size():
    """accelerate's finder comes to a size that fits, and Lightning's knows the exception."""
    from accelerate.utils import find_executable_batch_size
    from pytorch_lightning.utilities.memory import is_oom_error

    @find_executable_batch_size(starting_batch_size=1 << 12)
    def largest(size):
        return torch.empty(size << 30, dtype=torch.uint8, device="cuda").numel() >> 30

    try:
        torch.empty(1 << 42, dtype=torch.uint8, device="cuda")
    except RuntimeError as error:
        return {"ok": is_oom_error(error) and largest() > 0, "said": f"{largest()} GiB"}


def graph():
    weight, x = torch.randn(1024, 1024, device="cuda"), torch.randn(1024, 1024, device="cuda")
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            (x @ weight).relu().sum()
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        out = (x @ weight).relu()
    x.copy_(torch.randn_like(x))
    noise = [torch.randn(1 << 20, device="cuda") for _ in range(50)]  # allocations between replays
    captured.replay()
    torch.cuda.synchronize()
    return {"ok": torch.equal(out, (x @ weight).relu()) and len(noise) == 50}


def mem_pool():
    if os.environ.get("CHECK_POOL") != "gmlake":
        pool = torch.cuda.MemPool()
        with torch.cuda.use_mem_pool(pool):
            x = torch.ones(1 << 24, device="cuda")
    else:
        import gmlake.torch

        before = gmlake.torch.memory_allocated()
        with gmlake.torch.mem_pool():
            x = torch.ones(1 << 24, device="cuda")
        if gmlake.torch.memory_allocated() <= before:
            return {"ok": False, "said": "the pool's memory is not gmlake's"}
    return {"ok": float(x.sum()) == 1 << 24}


def record_stream():
    """A tensor freed while another stream still reads it keeps its bytes until that is done."""
    side = torch.cuda.Stream()
    x = torch.full((1 << 26,), 3.0, device="cuda")
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        torch.cuda._sleep(200_000_000)
        total = x.sum()
        x.record_stream(side)
    del x
    others = [torch.zeros(1 << 26, device="cuda") for _ in range(4)]
    torch.cuda.synchronize()
    return {"ok": float(total) == 3.0 * (1 << 26) and len(others) == 4}


class Squares(torch.utils.data.Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, i):
        return torch.tensor(float(i * i))


def loader():
    data = torch.utils.data.DataLoader(Squares(), batch_size=8, num_workers=2, pin_memory=True)
    total = sum(float(batch.cuda(non_blocking=True).sum()) for batch in data)
    return {"ok": total == sum(i * i for i in range(64))}


def ddp():
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29511", RANK="0", WORLD_SIZE="1")
    torch.distributed.init_process_group("nccl")
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(256, 256).cuda(), device_ids=[0])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(5):
        loss = model(torch.ones(64, 256, device="cuda")).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    torch.distributed.destroy_process_group()
    return {"ok": losses[-1] < losses[0]}


def figures():
    import gmlake.torch

    x = torch.ones(GIB // 4, device="cuda")
    fine = gmlake.torch.memory_allocated() >= GIB and gmlake.torch.memory_reserved() >= GIB
    del x
    torch.cuda.synchronize()
    return {"ok": fine and gmlake.torch.max_memory_allocated() >= GIB > gmlake.torch.memory_allocated()
            and gmlake.torch.empty_cache() > 0 and gmlake.torch.stats()["total"]["counters"]["allocations"] > 0}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--enable", action="store_true")
    parser.add_argument("what", choices=["steps", "check"])
    parser.add_argument("name")
    parser.add_argument("count", nargs="?", type=int, default=24)
    options = parser.parse_args()
    if options.enable:
        import gmlake.torch

        gmlake.torch.enable()
    if options.what == "steps":
        said = steps(options.name, options.count)
    else:
        said = {each.__name__: each for each in (out_of_memory, batch_size, graph, mem_pool, record_stream, loader, ddp, figures)}[options.name]()
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
