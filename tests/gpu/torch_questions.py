"""What PyTorch answers about its memory, and what must work: a line of JSON for each question. tools/gpu-check asks natively and
under the library, with the caching allocator and with backend:cudaMallocAsync (PYTORCH_CUDA_ALLOC_CONF).

    torch_questions.py figures|limits|processes|habits|compiled

Lines with `at_most` are sizes that may be smaller under the library and no larger; everything else must be the same.
"""

import json
import os
import sys

import pytorch_program
import torch
import torch.multiprocessing as multiprocessing

MIB = 1 << 20
ASYNC = "cudaMallocAsync" in os.environ.get("PYTORCH_CUDA_ALLOC_CONF", "")


def say(question, answer, **more):
    print(json.dumps({"question": question, "answer": answer, **more}), flush=True)


def block(mib):
    return torch.ones(mib * MIB // 4, device="cuda")


def figures():
    cuda = torch.cuda
    cuda.init()
    cuda.reset_peak_memory_stats()
    start = cuda.memory_allocated()
    blocks = [block(mib) for mib in (64, 3, 1, 200)]
    say("memory_allocated of four blocks", cuda.memory_allocated() - start)
    say("memory_reserved holds them", cuda.memory_reserved() >= cuda.memory_allocated())
    say("memory_reserved", cuda.memory_reserved(), at_most=True)
    del blocks[3], blocks[0]
    cuda.synchronize()
    say("memory_allocated of two", cuda.memory_allocated() - start)
    say("max_memory_allocated", cuda.max_memory_allocated() - start)
    cuda.reset_peak_memory_stats()
    say("max_memory_allocated after its reset", cuda.max_memory_allocated() - start)
    blocks.append(block(32))
    say("max_memory_allocated since", cuda.max_memory_allocated() - start)
    cuda.empty_cache()
    say("memory_reserved after empty_cache", cuda.memory_reserved(), at_most=True)
    stats = cuda.memory_stats()
    for key in ("allocated_bytes.all.current", "allocated_bytes.all.peak", "num_ooms"):
        say(f"memory_stats {key}", stats.get(key))
    say("keys of memory_stats", len(stats))
    say("lines of memory_summary", len(cuda.memory_summary().splitlines()))
    free, total = cuda.mem_get_info()
    say("mem_get_info total", total)
    say("mem_get_info free is less", 0 < free < total)
    blocks.clear()
    cuda.synchronize()
    say("memory_allocated of none", cuda.memory_allocated() - start)


def limits():
    cuda = torch.cuda
    total = cuda.mem_get_info()[1]

    def refused(size):
        try:
            torch.empty(size, dtype=torch.uint8, device="cuda")
        except cuda.OutOfMemoryError as failure:
            return str(failure).split(".")[0]
        return "allocated"

    say("more than there is", refused(2 * total))
    say("and then", float(block(4).sum()))
    cuda.set_per_process_memory_fraction(2048 * MIB / total)
    say("more than the fraction", refused(4096 * MIB))
    say("less than the fraction", refused(512 * MIB))
    cuda.set_per_process_memory_fraction(1.0)
    say("with the whole fraction", refused(4096 * MIB))
    say("num_ooms", cuda.memory_stats().get("num_ooms"))
    cuda.empty_cache()


def child(tensors, sums):
    for tensor in iter(tensors.get, None):
        sums.put((float(tensor.sum()), tensor.device.type))
        tensor.add_(1)
        torch.cuda.synchronize()
        sums.put("added")
        del tensor


def processes():
    """Tensors to another process and what it wrote into them; the async backend refuses to share, and says so."""
    context = multiprocessing.get_context("spawn")
    tensors, sums = context.Queue(), context.Queue()
    other = context.Process(target=child, args=(tensors, sums))
    other.start()
    try:
        whole = block(8)
        for name, tensor in (("whole", whole), ("part", whole[1000:3000]), ("small", torch.full((10,), 2.0, device="cuda"))):
            if ASYNC:
                try:
                    tensor.untyped_storage()._share_cuda_()
                    say(f"sharing a {name} tensor", "works")
                except RuntimeError as failure:
                    say(f"sharing a {name} tensor", str(failure).splitlines()[0].split(",")[0])
                continue
            tensors.put(tensor)
            say(f"the {name} tensor there", sums.get(timeout=60))
            sums.get(timeout=60)
            say(f"the {name} tensor here, then", float(tensor.sum()))
    finally:
        tensors.put(None)
        other.join(60)
    say("the other process ended with", other.exitcode)


def habits():
    for check in (pytorch_program.loader, pytorch_program.graph, pytorch_program.record_stream):
        say(check.__name__, check()["ok"])
    layer = torch.nn.Linear(64, 64).cuda()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(0.5)
    graphed = torch.cuda.make_graphed_callables(layer, (torch.ones(8, 64, device="cuda"),))
    say("make_graphed_callables", float(graphed(torch.ones(8, 64, device="cuda")).sum()))
    address = torch.cuda.caching_allocator_alloc(10 * MIB)
    say("caching_allocator_alloc", address % 512)
    torch.cuda.caching_allocator_delete(address)
    if torch.cuda.device_count() > 1:
        there = torch.arange(1 << 20, device="cuda:0", dtype=torch.float64).to("cuda:1")
        say("to the other device", [float(there.sum()), str(there.device)])
        say("and back", float(there.to("cuda:0").sum()))


def compiled():
    for mode in ("default", "reduce-overhead"):
        torch._dynamo.reset()
        function = torch.compile(lambda a: (a * 2 + 1).relu().sum(), mode=mode)
        try:
            say(f"torch.compile {mode}", [float(function(torch.ones(4096, device="cuda"))) for _ in range(4)])
        except Exception as failure:  # whatever it refuses, it is to refuse the same
            say(f"torch.compile {mode}", f"{type(failure).__name__}: {str(failure).splitlines()[0][:120]}")


if __name__ == "__main__":
    {"figures": figures, "limits": limits, "processes": processes, "habits": habits, "compiled": compiled}[sys.argv[1]]()
