"""A certificate for 127.0.0.1 from an authority that lives as long as a folder; made by the `openssl` program."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OPENSSL_S: Final = 30.0
DAYS: Final = "2"


class NoCertificate(RuntimeError):
    """None could be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files: the server's certificate and key, and the authority that a client must trust."""

    cert: Path
    key: Path
    authority: Path


def make(folder: Path) -> Certificate:
    """A fresh authority, and one certificate of it for 127.0.0.1 and localhost. Raises: NoCertificate."""
    program = shutil.which("openssl")
    if program is None:
        raise NoCertificate("the `openssl` program is not installed")
    made = Certificate(folder / "server.pem", folder / "server.key", folder / "authority.pem")
    authority_key, request, extensions = folder / "authority.key", folder / "server.csr", folder / "server.ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nauthorityKeyIdentifier=keyid\n")
    new_key = ["-newkey", "rsa:2048", "-noenc"]
    _run(
        program, "req", "-x509", *new_key, "-days", DAYS, "-subj", "/CN=media-ws-ai bench authority",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", authority_key, "-out", made.authority,
    )  # fmt: skip
    _run(program, "req", *new_key, "-subj", "/CN=127.0.0.1", "-keyout", made.key, "-out", request)
    _run(
        program, "x509", "-req", "-in", request, "-CA", made.authority, "-CAkey", authority_key, "-CAcreateserial",
        "-days", DAYS, "-extfile", extensions, "-out", made.cert,
    )  # fmt: skip
    return made


def _run(program: str, *arguments: str | Path) -> None:
    try:
        done = subprocess.run(
            [program, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=OPENSSL_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoCertificate(f"openssl {arguments[0]}: {error}") from error
    if done.returncode != 0:
        raise NoCertificate(f"openssl {arguments[0]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
