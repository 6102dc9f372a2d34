"""Models: found where the operator put them, run like other recognizers, missing ones are errors at start, and nothing is downloaded."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from presidio_analyzer import RecognizerResult

from benchmarks.stock import Stock, places
from redaction.errors import RedactionError
from redaction.policy import RedactionConfig
from redaction.presidio import models
from redaction.presidio.analyzer import Analyzer
from redaction.presidio.description import describe
from redaction.presidio.models import Gliner, model_recognizers
from redaction.redactor import Redactor
from redaction.worker import ScannerPool
from tests.redaction.conftest import CACHE, KEY, ROOT

PATTERNS = [
    {"label": "PERSON", "pattern": [{"LOWER": "ada"}, {"LOWER": "lovelace"}]},
    {"label": "GPE", "pattern": "Turin"},
    {"label": "ORG", "pattern": "Acme"},
    {"label": "PRODUCT", "pattern": "Widget"},
]


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a small spaCy pipeline."""
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns(PATTERNS)  # type: ignore[attr-defined]
    folder = tmp_path_factory.mktemp("models") / "names"
    nlp.to_disk(folder)
    return str(folder)


def policy(engine: str, model: str, **more: object) -> RedactionConfig:
    """A policy with a model, and no credentials."""
    return RedactionConfig.model_validate({"presidio": {"nlp_engine": engine, "nlp_model": model, **more}, "secrets": {"enabled": False}})


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a socket fails the test."""

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, forbidden)


@pytest.mark.usefixtures("no_network")
def test_a_model_finds_names_and_places(pipeline: str) -> None:
    """By default persons, places and groups; organisations on request; labels that mean nothing to us are left."""
    text = "Ada Lovelace of Acme went to Turin with a Widget, ada@example.com"
    entities = [
        (each.entity, text[each.start : each.end]) for each in Analyzer(policy("spacy", pipeline), cache_folder=CACHE).find(text, ())
    ]
    assert entities == [("PERSON", "Ada Lovelace"), ("LOCATION", "Turin"), ("EMAIL_ADDRESS", "ada@example.com")]
    only = Analyzer(policy("spacy", pipeline, entities=["ORGANIZATION"]))
    assert [(each.entity, text[each.start : each.end]) for each in only.find(text, ())] == [("ORGANIZATION", "Acme")]


def test_every_text_with_a_letter_is_looked_at(pipeline: str) -> None:
    """And nothing of numbers; ids that the pipeline needs still pass."""
    analyzer = Analyzer(policy("spacy", pipeline, entities=["PERSON"]))
    bit = 1 << next(index for index, each in enumerate(analyzer.detectors) if each.recognizer.name == "SpacyModel")
    assert analyzer.gate.candidates("é", ()) & bit
    assert not analyzer.gate.candidates("123 456,78", ()) & bit
    assert not analyzer.gate.identifiers & bit
    description = describe(policy("spacy", pipeline, entities=["PERSON"]))
    assert description.slow == ("SpacyModel",)
    assert description.model == f"spacy {pipeline}"


@pytest.fixture(scope="module")
def fast_and_stock(pipeline: str) -> tuple[Analyzer, Stock]:
    """The fast path and the oracle, each with its own model."""
    return Analyzer(policy("spacy", pipeline), cache_folder=CACHE), Stock(policy("spacy", pipeline))


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(
        st.sampled_from(["Ada ", "Lovelace", " Turin", "ada@example.com", "4111 1111 1111 1111", "é", "İ"]) | st.text(max_size=5)
    )
)
def test_the_fast_path_finds_what_stock_presidio_finds(fast_and_stock: tuple[Analyzer, Stock], pieces: list[str]) -> None:
    """The identity holds with a model, too."""
    fast, stock = fast_and_stock
    text = "".join(pieces)
    assert places(fast.find(text, ())) == places(stock.find(text, ()))


def test_a_long_text_is_looked_at_by_chunks(pipeline: str) -> None:
    """Wherever the name stands."""
    redactor = Redactor(policy("spacy", pipeline), pseudonym_key=KEY, cache_folder=CACHE)
    text = "word " * 2_000 + "Ada Lovelace" + " word" * 2_000
    assert redactor.clean_now([(text, None)])[0].text == text.replace("Ada Lovelace", "<PERSON>")


MISSING = [
    ("spacy", "en_core_web_lg", "load the spaCy model: en_core_web_lg (install it (python -m spacy download en_core_web_lg)"),
    ("spacy", "./absent", "or name the folder of a pipeline; nothing is downloaded here"),
    ("transformers", "dslim/bert-base-NER", "the package transformers is missing (pip install 'auditlake[transformers]')"),
    ("gliner", "urchade/gliner_multi_pii-v1", "the package gliner is missing (pip install 'auditlake[gliner]')"),
    ("stanza", "en", "the package stanza is missing (pip install 'auditlake[stanza]')"),
]


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(("engine", "model", "said"), MISSING)
def test_what_is_missing_is_an_error_with_the_remedy(engine: str, model: str, said: str) -> None:
    """Before anything is loaded, without the network, and never falling back to no model."""
    with pytest.raises(RedactionError) as raised:
        Analyzer(policy(engine, model))
    assert said in str(raised.value)


def test_a_folder_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    """Of ours, whatever the library raises."""
    (tmp_path / "config.cfg").write_text("[nlp]\n")
    with pytest.raises(RedactionError, match="load the spacy model"):
        Analyzer(policy("spacy", str(tmp_path)))


@pytest.mark.parametrize(
    ("engine", "check"), [("transformers", "hf download NER"), ("gliner", "hf download NER"), ("stanza", "stanza.download('x/NER')")]
)
def test_a_model_that_is_not_on_this_machine_is_an_error(engine: str, check: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the packages installed, too."""
    hub = type(sys)("huggingface_hub")
    hub.try_to_load_from_cache = lambda *_: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setattr(models, "_PACKAGES", {})
    monkeypatch.setenv("STANZA_RESOURCES_DIR", str(tmp_path))
    with pytest.raises(RedactionError) as raised:
        list(model_recognizers(policy(engine, "x/NER").presidio))
    assert check in str(raised.value)
    assert "nothing is downloaded here" in str(raised.value)


def test_engines_are_made_by_presidios_provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the model's name, the language, and engines that cannot download."""
    given_to: list[dict[str, Any]] = []

    class Provider:
        def __init__(self, **options: Any) -> None:
            given_to.append(options)

        def create_engine(self) -> Any:
            model = given_to[-1]["nlp_configuration"]["models"][0]["model_name"]
            if isinstance(model, dict):
                assert spacy.load(model["spacy"]).lang == "de"
            return type("Engine", (), {"engine_name": given_to[-1]["nlp_configuration"]["nlp_engine_name"]})()

    monkeypatch.setattr(models, "NlpEngineProvider", Provider)
    monkeypatch.setattr(models, "_PACKAGES", {})
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "resources.json").write_text("{}")
    (tmp_path / "de").mkdir()
    monkeypatch.setenv("STANZA_RESOURCES_DIR", str(tmp_path))
    for engine, model in (("transformers", str(tmp_path)), ("stanza", "de")):
        (recognizer,) = model_recognizers(policy(engine, model, language="de").presidio)
        assert recognizer.name == f"{engine.capitalize()}Model"
    first, second = (each["nlp_configuration"]["models"][0] for each in given_to)
    assert first["model_name"]["transformers"] == str(tmp_path)
    assert second == {"lang_code": "de", "model_name": "de"}
    for kind in given_to[0]["nlp_engines"]:
        with pytest.raises(RedactionError, match="nothing is downloaded here"):
            kind._download_spacy_model_if_needed("en_core_web_lg")
    stanza = next(kind for kind in given_to[0]["nlp_engines"] if kind.engine_name == "stanza")
    assert not stanza(models=[{"lang_code": "de", "model_name": "de"}], ner_model_configuration=None).download_if_missing


def test_gliner_is_asked_for_its_own_entities_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Upstream would take the entities of all other recognizers for labels."""
    (tmp_path / "gliner_config.json").write_text("{}")
    asked: list[tuple[Any, ...]] = []

    class Library:
        def predict_entities(self, text: str, labels: list[str], **_: Any) -> list[dict[str, Any]]:
            asked.append(tuple(labels))
            return [{"label": "person", "start": 0, "end": 3, "score": 0.9, "text": text[:3]}]

    def load(recognizer: Any) -> None:
        asked.append((recognizer.model_name, recognizer.model_kwargs["local_files_only"]))
        recognizer.gliner = Library()

    monkeypatch.setattr(models, "_PACKAGES", {})
    monkeypatch.setattr(Gliner, "load", load)
    (recognizer,) = model_recognizers(policy("gliner", str(tmp_path), entities=["PERSON"]).presidio)
    recognizer.gliner = Library()
    (result,) = recognizer.analyze("Ada went", ["PERSON", "GITHUB_TOKEN"])
    assert (result.entity_type, result.start, result.end) == ("PERSON", 0, 3)
    assert isinstance(result, RecognizerResult)
    assert asked == [(str(tmp_path), True), ("person",)]
    assert recognizer.analyze("123", ["PERSON"]) == []


def test_the_scanner_process_says_what_is_missing() -> None:
    """Texts are withheld, health has the reason, and nothing is tried without the model."""

    async def run() -> tuple[object, str]:
        pool = ScannerPool(policy("spacy", "en_core_web_lg"))
        verdicts = await pool.scan([("Ada", ())])
        state = pool.state()
        await pool.close()
        return verdicts["Ada", ()], state

    verdict, state = asyncio.run(run())
    assert verdict == "worker"
    assert state.startswith("down: the scanner does not start (cannot load the spaCy model: en_core_web_lg")


def test_a_scanner_process_cannot_reach_the_network() -> None:
    """Whatever a library tries."""
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from redaction.offline import forbid_network
forbid_network()
import socket
for attempt in (lambda: socket.create_connection(("127.0.0.1", 9)), lambda: socket.getaddrinfo("localhost", 80)):
    try:
        attempt()
    except Exception as error:
        print(type(error).__name__)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["RedactionError", "RedactionError"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"nlp_engine": "spacy"}, "nlp_engine: spacy needs nlp_model"),
        ({"nlp_model": "en_core_web_lg"}, "nlp_model has no effect without nlp_engine"),
        ({"entities": ["PERSON"]}, "PERSON needs an nlp_engine"),
    ],
)
def test_half_a_model_is_an_error_of_the_configuration(options: dict[str, object], said: str) -> None:
    """Every option takes effect."""
    with pytest.raises(ValueError, match=said):
        RedactionConfig.model_validate({"presidio": options})


def test_a_models_folder_is_relative_to_the_configuration(tmp_path: Path) -> None:
    """Names stay names."""
    (tmp_path / "models" / "names").mkdir(parents=True)

    def model(name: str) -> str | None:
        values = {"presidio": {"nlp_engine": "spacy", "nlp_model": name}}
        return RedactionConfig.model_validate(values, context={"folder": tmp_path}).presidio.nlp_model

    assert model("models/names") == str(tmp_path / "models" / "names")
    assert model("./later") == str(tmp_path / "later")
    assert model("org/model") == "org/model"
    assert model("en_core_web_lg") == "en_core_web_lg"
