"""Every way a program reaches CUDA is served by the pool, with either door closed where the other can do it."""

import json
import re

import harness


class Clients(harness.Case):
    def check(self, client, api, **settings):
        """Replays a scattered trace on three streams and holds the report against what the client did."""
        path = self.folder / "trace.csv"
        trace = harness.mixed_trace(path, seed=7, streams=3, events=300, most_live=48 * harness.MIB)
        loaded = self.folder / "loaded"
        measured = self.folder / "client.json"
        loops = 2
        _, report = self.served(
            harness.PROGRAMS / client, "--api", api, "--loops", loops, "--json", measured, path,
            LD_DEBUG="libs", LD_DEBUG_OUTPUT=loaded, **settings)
        self.assertEqual(report["allocations"], loops * trace.allocations)
        self.assertEqual(report["frees"], loops * trace.allocations)
        self.assertEqual(report["native_allocations"], 0)
        self.assertEqual(report["native_frees"], 0)
        self.assertEqual(report["live_bytes"], 0)
        self.assertEqual(report["peak_live_bytes"], trace.peak_live_bytes)
        said = json.loads(measured.read_text())
        self.assertEqual(said["operations"], 2 * loops * trace.allocations)
        self.assertEqual(said["peak_live_bytes"], trace.peak_live_bytes)
        self.assertGreater(said["pattern_bytes"], 2 * loops * trace.peak_live_bytes)
        self.assertEqual(said["mismatches"], 0)
        self.assert_simulated(loaded)

    def assert_simulated(self, loaded):
        """Of libcuda and libcudart only simcuda's were mapped."""
        text = "".join(p.read_text() for p in self.folder.glob(loaded.name + "*"))
        mapped = set(re.findall(r"calling init: (\S*/libcuda(?:rt)?\.so\S*)", text))
        self.assertIn(str(harness.SIMCUDA / "libcuda.so.1"), mapped)
        self.assertEqual({m for m in mapped if not m.startswith(str(harness.SIMCUDA))}, set())


DRIVER_ONLY = {"GMLAKE_HOOKS_RUNTIME": "false"}
RUNTIME_ONLY = {"GMLAKE_HOOKS_DRIVER": "false"}
# Client, environment. A static cudart has no symbols to take and the driver API's clients do not use cudart, so
# those need the driver door.
VARIANTS = {
    "shared": ("replay_client_shared", {}),
    "shared_driver_door": ("replay_client_shared", DRIVER_ONLY),
    "shared_runtime_door": ("replay_client_shared", RUNTIME_ONLY),
    "static": ("replay_client_static", {}),
    "static_driver_door": ("replay_client_static", DRIVER_ONLY),
    "shared_per_thread": ("replay_client_shared_per_thread", {}),
    "shared_per_thread_driver_door": ("replay_client_shared_per_thread", DRIVER_ONLY),
    "shared_per_thread_runtime_door": ("replay_client_shared_per_thread", RUNTIME_ONLY),
    "static_per_thread": ("replay_client_static_per_thread", {}),
    "static_per_thread_driver_door": ("replay_client_static_per_thread", DRIVER_ONLY),
    "driver": ("replay_client_driver", {}),
    "driver_driver_door": ("replay_client_driver", DRIVER_ONLY),
    "dlsym": ("replay_client_dlopen", {"CLIENT_RESOLVE": "dlsym"}),
    "dlsym_driver_door": ("replay_client_dlopen", {"CLIENT_RESOLVE": "dlsym", **DRIVER_ONLY}),
    "getproc": ("replay_client_dlopen", {"CLIENT_RESOLVE": "getproc"}),
    "getproc_driver_door": ("replay_client_dlopen", {"CLIENT_RESOLVE": "getproc", **DRIVER_ONLY}),
}


def add_test(variant, client, settings, api):
    setattr(Clients, f"test_{variant}_{api}", lambda self: self.check(client, api, **settings))


for variant, (client, settings) in VARIANTS.items():
    for api in ("async", "malloc"):
        add_test(variant, client, settings, api)

if __name__ == "__main__":
    harness.main()
