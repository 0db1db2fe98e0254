"""Two ranks of PyTorch on two GPUs, by NCCL: collectives with their bandwidth, or training steps with DDP.

    torch_ranks.py --phase collectives|train [--steps N] [--plain-rank R]

Prints what they came to as one line of JSON; `results` must not depend on whose memory it was. A plain rank runs without
what LD_PRELOAD names. `whole` buffers are the first that are taken; `scattered` ones are asked for once only pieces are
free, so that an allocator that can stitch stitches them.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys

RANKS = 2
MIB = 1 << 20
PIECE, PIECES = 24 * MIB, 11  # a scattered buffer is as large as this many pieces
BYTES = PIECE * PIECES
FLOATS = BYTES // 4


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def launch(options):
    """Starts the ranks and puts together what they say."""
    port, ranks = free_port(), []
    for rank in range(RANKS):
        # Without multicast: it is no subject here, and needs the whole host's switches.
        environment = {**os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(RANKS),
                       "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NCCL_NVLS_ENABLE": "0",
                       "TORCH_SYMM_MEM_DISABLE_MULTICAST": "1"}
        if rank == options.plain_rank:
            environment.pop("LD_PRELOAD", None)
        ranks.append(subprocess.Popen([sys.executable, *sys.argv, "--rank", str(rank)], env=environment,
                                      stdout=subprocess.PIPE, text=True))
    outputs = [rank.communicate()[0] for rank in ranks]
    said = [json.loads(lines[-1]) if (lines := [line for line in output.splitlines() if line.startswith("{")]) else {}
            for output in outputs]
    print(json.dumps({"results": [one.get("results") for one in said], **{
        key: value for key, value in said[0].items() if key != "results"}, "peak_mib": [one.get("peak_mib") for one in said]}))
    return max(abs(rank.returncode) for rank in ranks)


def buffers(torch, scattered):
    """Two buffers of BYTES each."""
    pieces = []
    if scattered:
        pieces = [torch.empty(PIECE // 4, device="cuda") for _ in range(4 * PIECES)]
        del pieces[::2]
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    return torch.empty(FLOATS, device="cuda"), torch.empty(FLOATS, device="cuda"), pieces


def collectives(torch, dist, rank, rounds):
    """Whole numbers small enough for any order of adding, verified to the last; GB/s as NCCL's tests count a bus."""
    results, speed = {}, {}
    numbers = torch.arange(FLOATS, device="cuda", dtype=torch.int32) % 1000
    part = FLOATS // RANKS

    def timed(name, share, work):
        times = []
        for _ in range(rounds):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            work()
            end.record()
            end.synchronize()
            times.append(begin.elapsed_time(end) / 1e3)
        speed[name] = round(BYTES * share / statistics.median(times[2:]) / 1e9, 1)

    for kind in ("whole", "scattered"):
        a, b, pieces = buffers(torch, kind == "scattered")
        a.copy_(numbers)
        a.add_(rank)
        dist.all_reduce(a)
        results[f"{kind}, all_reduce"] = bool((a == 2 * numbers + 1).all())
        a.copy_(numbers)
        a.add_(rank)
        b.fill_(-1)
        dist.all_gather_into_tensor(b, a[:part])
        results[f"{kind}, all_gather"] = all(bool((b[r * part:(r + 1) * part] == numbers[:part] + r).all())
                                             for r in range(RANKS))
        a.copy_(numbers)

        def exchange():
            if rank == 0:
                dist.send(a, 1)
            else:
                dist.recv(b, 0)

        b.fill_(-1)
        exchange()
        results[f"{kind}, send"] = rank == 0 or bool((b == numbers).all())
        torch.cuda.synchronize()
        dist.barrier()
        timed(f"{kind}, all_reduce", 2 * (RANKS - 1) / RANKS, lambda: dist.all_reduce(b))
        timed(f"{kind}, all_gather", (RANKS - 1) / RANKS, lambda: dist.all_gather_into_tensor(b, a[:part]))
        timed(f"{kind}, send", 1, exchange)
        del a, b, pieces
    return {"results": results, "GB/s": speed}


def train(torch, dist, rank, steps):
    import random

    import torch_steps
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.manual_seed(1)
    model = torch.nn.parallel.DistributedDataParallel(torch_steps.Model().cuda(), device_ids=[rank])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    pick, source = random.Random(2), torch.Generator().manual_seed(3 + rank)

    def step():
        length = pick.randrange(128, torch_steps.LENGTH + 1)
        tokens = torch.randint(torch_steps.VOCABULARY, (torch_steps.BATCH, length), generator=source).cuda()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            logits = model(tokens[:, :-1])
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    losses, times, used = torch_steps.timed(step, steps)
    return {"results": losses, "ms_per_step": round(statistics.median(times) * 1e3, 3), "peak_mib": used >> 20}


def run_rank(options):
    import torch
    import torch.distributed as dist
    torch.cuda.set_device(options.rank)
    dist.init_process_group("nccl", rank=options.rank, world_size=RANKS, device_id=torch.device("cuda", options.rank))
    if options.phase == "collectives":
        said = collectives(torch, dist, options.rank, options.steps)
    else:
        said = train(torch, dist, options.rank, options.steps)
    dist.barrier()
    torch.cuda.synchronize()
    print(json.dumps(said), flush=True)
    dist.destroy_process_group()
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--phase", choices=["collectives", "train"], required=True)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--plain-rank", type=int)
    parser.add_argument("--rank", type=int)
    options = parser.parse_args()
    return launch(options) if options.rank is None else run_rank(options)


if __name__ == "__main__":
    sys.exit(main())
