#!/usr/bin/env python3
"""`gmlake trace generate` and `gmlake trace info` from the command line."""

import gzip
import unittest

from command_line import CommandLine


class Generate(CommandLine):
    def test_output_to_file_gzip_and_stdout_is_the_same(self):
        plain, packed = self.generate("a.csv"), self.generate("a.csv.gz")
        out = self.run_gmlake("trace", "generate", "--model", "tiny", "--sequence", "128", "--batch", "2",
                              "--output", "-").stdout
        with open(plain, "rb") as file:
            self.assertEqual(file.read(), out)
        with gzip.open(packed) as file:
            self.assertEqual(file.read(), out)

    def test_every_choice_is_accepted(self):
        for words in ("--dtype bf16 --optimizer sgd", "--recompute full --lora 4", "--recompute selective",
                      "--offload optimizer --streams 3", "--offload activations --clip-gradients",
                      "--experts 4 --foreach --gradients kept", "--mode inference --attention fused",
                      "--mode inference --kv-cache growing --variable-sequence random --iterations 20",
                      "--mode inference --kv-cache paged --seed 9", "--variable-sequence bucketed --keep",
                      "--mode pipeline --streams 2 --depth 1 --iterations 30",
                      "--mode pipeline --streams 5 --wait-for round --iterations 30",
                      "--layers 3 --hidden 64 --heads 4 --ffn 100 --vocab 999 --kv-heads 2 --no-dropout"):
            with self.subTest(words):
                info, = self.json_of("trace", "info", self.generate("t.csv", *words.split()))
                self.assertGreater(info["allocations"], 100)

    def test_a_custom_shape_has_its_parameters(self):
        path = self.generate("t.csv", "--layers", "1", "--hidden", "64", "--heads", "2", "--vocab", "1000",
                             "--mode", "inference", "--iterations", "1", "--keep")
        info, = self.json_of("trace", "info", path)
        embeddings = (1000 + 512) * 64
        layer = 2 * 2 * 64 + (3 + 1) * (64 * 64 + 64) + 64 * 256 + 256 + 256 * 64 + 64
        self.assertEqual(info["never_freed_bytes"], 4 * (embeddings + layer + 2 * 64) + 8519680)

    def test_adversarial(self):
        path = self.path("holes.csv.gz")
        self.run_gmlake("trace", "adversarial", "checkerboard", "--live", "512MiB", "--rounds", "2", "--output", path)
        info, = self.json_of("trace", "info", path)
        self.assertLessEqual(info["peak_live_bytes"], 512 << 20)
        self.assertGreater(info["peak_live_bytes"], 448 << 20)
        for words, said in ((("checkers",), b"checkerboard"), (("comb", "--live", "many"), b"--live is 'many'"),
                            (("comb", "--live", "1MiB"), b"--live is 1048576"), (("comb", "--rounds", "0"), b"--rounds")):
            wrong = self.run_gmlake("trace", "adversarial", *words, "--output", "-", status=64)
            self.assertIn(said, wrong.stderr)
            self.assertEqual(wrong.stdout, b"")
        self.run_gmlake("trace", "adversarial", "comb", "--output", "/nowhere/t.csv", status=73)

    def test_mistakes_are_explained(self):
        wrong = self.run_gmlake("trace", "generate", "--heads", "7", "--output", "-", status=64)
        self.assertIn(b"no multiple of --heads 7", wrong.stderr)
        self.assertEqual(wrong.stdout, b"")
        self.run_gmlake("trace", "generate", "--model", "gpt9", "--output", "-", status=64)
        nowhere = self.run_gmlake("trace", "generate", "--output", "/nowhere/t.csv", status=73)
        self.assertIn(b"/nowhere/t.csv", nowhere.stderr)
        missing = self.run_gmlake("trace", "info", "/nowhere/t.csv", status=65)
        self.assertIn(b"/nowhere/t.csv: No such file", missing.stderr)

    def test_info_as_text(self):
        out = self.run_gmlake("trace", "info", self.generate("t.csv")).stdout.decode()
        for word in ("peak live", "lifetime", "size up to", "stream"):
            self.assertIn(word, out)


if __name__ == "__main__":
    unittest.main()
