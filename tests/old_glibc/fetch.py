"""Unpacks programs of Debian 11, and the C library they run with, into a folder, once.

usage: fetch.py FOLDER

apt fetches them and checks their signatures, with lists of its own: nothing is installed, and no root is needed.
"""

import shutil
import subprocess
import sys
from pathlib import Path

RELEASE = "bullseye"
SOURCES = ("http://deb.debian.org/debian", "http://archive.debian.org/debian")  # the second once it is in the archive only
PACKAGES = ("libc6 libcrypt1 libgcc-s1 bash coreutils libtinfo6 libselinux1 libpcre2-8-0 libacl1 libattr1 libgmp10 "
            "python3.9-minimal libpython3.9-minimal libpython3.9-stdlib libexpat1 zlib1g libffi7").split()


def fetch(folder, source):
    lists = folder / "apt"
    for name in ("state/lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d"):
        (lists / name).mkdir(parents=True, exist_ok=True)
    (lists / "state" / "status").touch()
    (lists / "sources.list").write_text(
        f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {source} {RELEASE} main\n")
    options = {"Dir::State": lists / "state", "Dir::State::status": lists / "state" / "status", "Dir::Cache": lists / "cache",
               "Dir::Etc::sourcelist": lists / "sources.list", "Dir::Etc::sourceparts": "/dev/null",
               "Dir::Etc::preferencesparts": lists / "etc" / "preferences.d", "APT::Architecture": "amd64",
               "Acquire::Languages": "none", "Acquire::Check-Valid-Until": "false", "APT::Sandbox::User": "root"}
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "download", *PACKAGES], check=True, cwd=folder)


def main():
    folder = Path(sys.argv[1])
    done = folder / "unpacked"
    wanted = " ".join(PACKAGES)
    if done.exists() and done.read_text() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source in SOURCES:
        try:
            fetch(folder, source)
            break
        except subprocess.CalledProcessError:
            if source == SOURCES[-1]:
                raise
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder / "root"], check=True)
        package.unlink()
    shutil.rmtree(folder / "apt")
    done.write_text(wanted)


main()
