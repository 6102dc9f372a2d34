"""A bundle of a run as a dictionary of files, made over two sealed segments, and ways to change it as a forger would."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from storage.ledger import verify_bundle
from storage.ledger.bundle import Bundle, Export, places_of_run, write_bundle
from storage.ledger.keys import Keys
from storage.ledger.note import SigningKey, signed
from tests.sealed_flows import logs_request, record, span, spans_request
from tests.sealed_lake import RECEIVED_NS, open_lake, seal

RUN = "2e2e2e2e2e2e2e2e2e2e2e7472616365"
FROM = {"scope": "flow", "resource": {"service.name": "support"}}
Files = dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A bundle, and where it came from."""

    data: Path
    path: Path
    bundle: Bundle
    files: Files

    def verify(self, files: Mapping[str, bytes], *, believe: bool = False) -> list[str]:
        """Verify files as the auditor does who has the log's key, or believes those in the bundle."""
        keys = [] if believe else [verify_bundle.Key(line) for line in self.files["keys.txt"].decode().split()]
        return verify_bundle.Bundle(files, keys, []).verify()

    def signer(self) -> SigningKey:
        """The lake's own key: whoever has it signs what they like."""
        return Keys(self.data).signer("node/collector")


def sealed(data: Path) -> Path:
    """A lake with a run in two log entries, beside which there is another one."""
    first = [
        spans_request(span("root", "a", 0, 5), span("look up", "b", 1, 2, parent="a", attributes={"k": "ü", "n": 3, "f": 0.1}), **FROM),
        spans_request(span("else", "d", 2, 3, trace="other"), span("more", "e", 2, 3, trace="other"), **FROM),
    ]
    second = [
        spans_request(span("other", "f", 2, 3, trace="other"), span("answer", "c", 2, 3, parent="a"), **FROM),
        logs_request(record({"x": "\x01\n|"}, 3, trace="trace", inside="a"), record({"y": "z"}, 3, trace="other", inside="d"), **FROM),
    ]
    return seal(data, first, second)


def made(folder: Path) -> Made:
    """Export the run."""
    data, path = sealed(folder / "data"), folder / "evidence.zip"
    export = Export(run_id=RUN, by="ada", reason="an\ninquiry", at_ns=RECEIVED_NS, software="auditlake 1", files={"run.json": b"{}\n"})
    with open_lake(data) as lake:
        bundle = write_bundle(data, lake.catalog, places_of_run(lake, RUN), path, export, Keys(data))
    return Made(data=data, path=path, bundle=bundle, files=verify_bundle.files_of(path))


def with_sums(files: Mapping[str, bytes], signer: SigningKey | None = None) -> Files:
    """Put digests right after a change, and sign them where `signer` is given."""
    rest = {name: content for name, content in files.items() if name not in {"SHA256SUMS", verify_bundle.SIGNATURE_FILE}}
    sums = "".join(f"{hashlib.sha256(rest[name]).hexdigest()}  {name}\n" for name in sorted(rest)).encode()
    changed = {**rest, "SHA256SUMS": sums}
    if signer is not None:
        body = f"{verify_bundle.BUNDLE}\n{hashlib.sha256(sums).hexdigest()}\n"
        changed[verify_bundle.SIGNATURE_FILE] = signed(body, [signer.sign(body)]).encode()
    return changed
