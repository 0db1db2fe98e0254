"""Completions, loaded and asked in each shell: commands, commands below, options, the words an option takes, files, programs."""

import os
import pty
import re
import select
import time

import installed
from installed import harness, succeed

# What is typed before the cursor: some of what must be offered, and what must not.
CASES = {
    "gmlake ": (["run", "config", "trace"], ["show", "--report"]),
    "gmlake config ": (["show", "check", "schema"], ["run"]),
    "gmlake config show --": (["--defaults", "--json", "--config"], ["--report"]),
    "gmlake run --re": (["--report"], ["--config"]),
    "gmlake trace generate --model g": (["gpt2"], ["llama-7b", "--model"]),
    "gmlake completion ": (["bash", "zsh", "fish"], []),
    "gmlake config check some-": (["some-file.json"], []),
    "gmlake run -- some-prog": (["some-program"], []),
}

BASH = """
source "$COMPLETION"
read -ra COMP_WORDS <<< "$LINE"
[[ $LINE != *' ' ]] || COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_gmlake
printf '%s\\n' "${COMPREPLY[@]}"
"""

# An interactive shell prints what it would offer, one a line, between two marks.
ZSH = """
PS1='ready> '
autoload -Uz compinit
compinit -u -D
compadd() {
  local -a offered
  builtin compadd -O offered "$@"
  (( $#offered )) && print -rl -- '' "<"${^offered}">"
}
"""


def bash(completion, line, env):
    return succeed("bash", "-c", BASH, env={**env, "COMPLETION": str(completion), "LINE": line}).split()


def fish(completion, line, env):
    offered = succeed("fish", "--no-config", "-c", f"source '{completion}'; complete -C '{line}'", env=env)
    return [each.split("\t")[0] for each in offered.splitlines()]


def zsh(completion, line, env):
    """By a terminal: completion works in an interactive shell only."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(env["PWD"])
        os.execvpe("zsh", ["zsh", "-f", "-i"], {**env, "TERM": "dumb"})
    said = ""

    def until(mark):
        nonlocal said
        end = time.monotonic() + 30
        while not re.search(mark, said):
            if not select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"zsh did not say {mark}: {said}")
            said += os.read(terminal, 65536).decode(errors="replace")

    setup = env["SETUP"]
    os.write(terminal, f"fpath=({completion.parent} $fpath); source {setup}; print set''up\n".encode())
    until("\nsetup\r\n")
    said = ""
    os.write(terminal, f"{line}\t".encode())
    time.sleep(0.2)
    os.write(terminal, b"\x15print do''ne\n")  # ctrl-U takes the line away
    until("done\r\n")
    os.close(terminal)
    os.waitpid(process, 0)
    return re.findall(r"<(.*?)>\r?\n", said)


class Completions(harness.Case):
    def setUp(self):
        super().setUp()
        installed.install(self.folder / "prefix")
        self.share = self.folder / "prefix" / "share"
        (self.folder / "some-file.json").write_text("{}")
        program = self.folder / "some-program"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        (self.folder / "setup.zsh").write_text(ZSH)
        binaries = f"{self.folder}:{self.folder}/prefix/bin:{os.environ['PATH']}"
        self.env = harness.environment(preload=False, PATH=binaries, PWD=self.folder, HOME=self.folder,
                                       SETUP=self.folder / "setup.zsh")
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)

    def check(self, ask, completion):
        for line, (offered, others) in CASES.items():
            with self.subTest(line=line):
                said = ask(self.share / completion, line, self.env)
                for word in offered:
                    self.assertIn(word, said)
                for word in others:
                    self.assertNotIn(word, said)

    def test_bash(self):
        self.check(bash, "bash-completion/completions/gmlake")

    def test_zsh(self):
        self.check(zsh, "zsh/site-functions/_gmlake")

    def test_fish(self):
        self.check(fish, "fish/vendor_completions.d/gmlake.fish")

    def test_the_command_prints_what_is_installed(self):
        for shell, file in (("bash", "bash-completion/completions/gmlake"), ("zsh", "zsh/site-functions/_gmlake"),
                            ("fish", "fish/vendor_completions.d/gmlake.fish")):
            self.assertEqual(succeed(harness.GMLAKE, "completion", shell), (self.share / file).read_text())


if __name__ == "__main__":
    harness.main()
