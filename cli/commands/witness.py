"""`auditlake witness`: remember what others' logs have shown, and cosign only what continues it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import fail

if TYPE_CHECKING:
    from collector.config_admission import TlsConfig
    from storage.ledger.note import VerifierKey


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("witness")(witness)


def witness(
    state: Annotated[Path, typer.Option("--state", metavar="DIR", help="Its memory and its key; never run two from copies of it.")] = Path(
        "auditlake-witness"
    ),
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Its name, such as example.com/witness; needed at the first start alone.")
    ] = None,
    listen: Annotated[str, typer.Option("--listen", metavar="HOST:PORT", help="Where requests are taken.")] = "127.0.0.1:7380",
    logs: Annotated[
        Path | None, typer.Option("--logs", metavar="FILE", help="The logs it knows: a verifier key a line; read again at SIGHUP.")
    ] = None,
    log: Annotated[
        list[str] | None, typer.Option("--log", metavar="KEY", help="Another log, by its verifier key; may be given several times.")
    ] = None,
    cert_file: Annotated[
        Path | None, typer.Option("--cert-file", metavar="FILE", help="Serve HTTPS with this certificate chain, PEM; watched.")
    ] = None,
    key_file: Annotated[Path | None, typer.Option("--key-file", metavar="FILE", help="Its private key, PEM, not encrypted.")] = None,
    client_ca_file: Annotated[
        Path | None, typer.Option("--client-ca-file", metavar="FILE", help="Ask for certificates of these authorities (mutual TLS).")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="Who asks needs one of these bearer tokens, one a line; watched."),
    ] = None,
    insecure_allow_anonymous: Annotated[
        bool, typer.Option("--insecure-allow-anonymous", help="Listen for other machines although nobody has to authenticate.")
    ] = False,
    show_key: Annotated[bool, typer.Option("--show-key", help="Print the witness's verifier key, and end.")] = False,
) -> None:
    """Be a witness (c2sp.org/tlog-witness) of others' logs, until SIGTERM or Ctrl-C.

    It cosigns a checkpoint that continues what it has cosigned before, and keeps what contradicts it.
    """
    import time

    import structlog
    import uvloop

    from cli.logs import configure_logs
    from collector.errors import CollectorError
    from collector.witness_app import serve_witness
    from collector.witness_doors import WitnessEndpoint
    from storage.errors import StorageError
    from storage.ledger.witness import Witness, witness_key

    if show_key:
        typer.echo(str(witness_key(state, name).verifier.cosigner))
        return
    if logs is None and not log:
        fail("which logs?", "give their verifier keys, as their `auditlake ledger key` prints them: --log KEY, or --logs FILE")
    if (cert_file is None) != (key_file is None) or (client_ca_file is not None and cert_file is None):
        fail("TLS needs a certificate and its key", "give --cert-file and --key-file, and --client-ca-file only with them")
    section = WitnessEndpoint(
        endpoint=listen,
        tls=_tls(cert_file, key_file, client_ca_file),
        token_file=token_file,
        insecure_allow_anonymous=insecure_allow_anonymous,
    )
    configure_logs("witness")
    told = structlog.get_logger(__name__)
    serving = Witness(state, name, _known(logs, log or []), clock=time.time)

    def reload() -> None:
        try:
            serving.use(_known(logs, log or []))
            told.info("the witness knows these logs now", logs=len(_known(logs, log or [])))
        except StorageError as error:
            told.error("the logs stay as they were", subject=error.subject, hint=error.hint)

    def ready(port: int) -> None:
        told.info("witness ready", endpoint=f"{listen.rpartition(':')[0]}:{port}", key=str(serving.key))

    try:
        uvloop.run(serve_witness(serving, section, reload=reload, on_ready=ready))
    except (CollectorError, ValueError) as error:
        fail(str(error))
    finally:
        serving.close()


def _tls(cert_file: Path | None, key_file: Path | None, client_ca_file: Path | None) -> "TlsConfig | None":
    from collector.config_admission import TlsConfig

    return None if cert_file is None else TlsConfig(cert_file=cert_file, key_file=key_file, client_ca_file=client_ca_file)


def _known(logs: Path | None, keys: list[str]) -> "dict[str, tuple[VerifierKey, ...]]":
    """Return the logs of the file and of the options, by origin. Raises `LedgerError` for what is no verifier key."""
    from storage.ledger.errors import LedgerError
    from storage.ledger.witness import read_logs

    try:
        text = "" if logs is None else logs.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise LedgerError("read the logs of a witness", str(logs), hint=f"{why}: name a file with a verifier key a line") from None
    found = dict(read_logs(text, str(logs)))
    for origin, more in read_logs("\n".join(keys), "--log").items():
        found[origin] = (*found.get(origin, ()), *more)
    return found
