#!/usr/bin/env python3
"""How the pool does on generated workloads and on adversarial sequences: the table of docs/placement.md.

    tests/bench/workloads.py [--gmlake build/release/bin/gmlake] [--set OPTION...] [--smallest-device] [TRACE...]

Generates each trace of the list, replays it 8 times in one pool and prints a row in Markdown. With TRACE arguments it
does that for these files instead. With --smallest-device the rows say how small a device may be, as a ratio to peak live
bytes, with stitching and without.
"""

import argparse
import json
import shlex
import subprocess
import tempfile
from pathlib import Path

# One stream, but for the two that offload: these copy on a stream of their own.
WORKLOADS = """
generate --model gpt2-medium --sequence 512
generate --model gpt2-large --optimizer sgd --gradients kept --batch 2 --variable-sequence bucketed --iterations 6
generate --model llama-1b --layers 8 --dtype bf16 --batch 2 --foreach --clip-gradients
generate --model gpt2-medium --recompute full --variable-sequence random --iterations 8
generate --model gpt2-medium --sequence 512 --dtype fp16 --recompute selective --clip-gradients --foreach --variable-sequence random --iterations 6
generate --model gpt2-xl --dtype bf16 --attention fused --optimizer adam --recompute full --variable-sequence bucketed
generate --model llama-7b --dtype bf16 --lora 16 --recompute full --sequence 2048 --variable-sequence random --iterations 6
generate --model llama-1b --dtype bf16 --lora 8 --batch 2 --variable-sequence bucketed --iterations 8
generate --model gpt2-medium --sequence 512 --offload activations --variable-sequence random --iterations 6
generate --model opt-1.3b --dtype fp16 --recompute full --offload optimizer --iterations 3
generate --model gpt2 --experts 16 --variable-sequence random
generate --model mixtral-8x7b --layers 2 --dtype bf16 --sequence 2048 --batch 2 --recompute full --iterations 8
generate --model mixtral-8x7b --layers 8 --dtype bf16 --mode inference --variable-sequence random --iterations 16
generate --model llama-13b --dtype bf16 --mode inference --sequence 2048 --variable-sequence random --iterations 16
generate --model llama-8b --layers 4 --dtype bf16 --mode inference --kv-cache growing --batch 16 --sequence 2048 --iterations 90
generate --model opt-1.3b --layers 2 --mode inference --kv-cache growing --batch 32 --iterations 100
generate --model llama-8b --layers 4 --dtype bf16 --mode inference --kv-cache paged --batch 32 --sequence 4096 --iterations 80
adversarial checkerboard
adversarial comb
adversarial staircase
adversarial sawtooth
adversarial doubling
adversarial random
adversarial survivors
""".strip().splitlines()


def replay(options, trace, *more):
    settings = [word for setting in options.set for word in ("--set", setting)]
    done = subprocess.run([options.gmlake, "replay", trace, "--loops", str(options.loops), "--json", "--allow-oom",
                           *settings, *more],
                          check=True, capture_output=True)
    return json.loads(done.stdout)[0]


def figures(options, trace):
    result = replay(options, trace)
    loops = " ".join(str(n) for n in result["stitches_per_loop"])
    worst = "out of memory" if result["out_of_memory"] else f"{min(result['utilization_per_loop']):.4f}"
    return (f"{result['events']:,}", f"{result['peak_live_bytes'] / 2**30:.2f}", worst, loops,
            f"{result['driver_calls_first_loop']:,}", f"{result['driver_calls_last_loop']:,}",
            f"{result['nanoseconds_per_event']:.0f}", f"{result['malloc_pairs_per_event']:.1f}")


def sizes(options, trace):
    stitched = replay(options, trace, "--smallest-device")
    plain = replay(options, trace, "--smallest-device", "--set", "stitch.enabled=false")
    return (f"{stitched['peak_live_bytes'] / 2**30:.2f}",
            *(f"{1 / r['smallest_device_utilization']:.4f}" if r["smallest_device_bytes"] else "none"
              for r in (stitched, plain)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", nargs="*", metavar="TRACE", help="replay these files instead of the list")
    parser.add_argument("--gmlake", type=Path,
                        default=Path(__file__).parents[2] / "build" / "release" / "bin" / "gmlake")
    parser.add_argument("--loops", type=int, default=8)
    parser.add_argument("--set", action="append", default=[], metavar="OPTION", help="for gmlake replay")
    parser.add_argument("--smallest-device", action="store_true")
    options = parser.parse_args()

    measure, heads = (sizes, ("peak live GiB", "smallest device / peak live", "without stitching")) \
        if options.smallest_device else \
        (figures, ("events", "peak live GiB", "worst utilization", "stitches per loop", "driver calls, first loop",
                   "last loop", "ns/event", "malloc pairs/event"))
    print("| " + " | ".join(("trace", *heads)) + " |\n" + "|---" * (len(heads) + 1) + "|")
    with tempfile.TemporaryDirectory(prefix="gmlake-") as folder:
        for words in options.traces or WORKLOADS:
            trace, name = words, Path(words).name
            if not options.traces:
                trace, name = str(Path(folder) / "trace.csv"), f"`{words}`"
                subprocess.run([options.gmlake, "trace", *shlex.split(words), "--output", trace], check=True)
            print("| " + " | ".join((name, *measure(options, trace))) + " |", flush=True)


if __name__ == "__main__":
    main()
