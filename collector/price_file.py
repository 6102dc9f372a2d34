"""The user's price file: YAML with prices by provider and model, valid from and until a time. It goes before the price list.

```yaml
prices:
  - {model: "acme-large*", provider: my-gateway, valid_from: 2026-01-01, input: 2.5, output: 10, cache_read: 0.25}
```

All prices are USD per million tokens, `request` is USD a call. The first entry that matches a call prices it; docs/cost.md describes
every key.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from collector.config_source import ConfigError, Problem, Source, nearest, read
from collector.rates import Rates

_MILLION: Final = Decimal(1_000_000)
_KINDS: Final = ("input", "output", "cache_read", "cache_write")


def _moment(value: Any) -> Any:
    """Read a UTC date or an RFC 3339 time, as YAML gives it or as text."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a date such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z") from None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC) if isinstance(value, date) else value


def _decimal(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a number of USD")
    return str(value)


Moment = Annotated[datetime, BeforeValidator(_moment)]
Price = Annotated[Decimal, BeforeValidator(_decimal), Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tier(_Entry):
    """Prices of calls with more than `above` input tokens, cached ones included; what is left out is as below it."""

    above: int = Field(ge=0)
    input: Price | None = None
    output: Price | None = None
    cache_read: Price | None = None
    cache_write: Price | None = None


class ModelPrices(_Entry):
    """One entry. `provider` and `model` are patterns (`*`, `?`, `[…]`), whatever the case."""

    model: str = Field(min_length=1)
    provider: str = "*"
    service_tier: str | None = None
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    input: Price = Decimal(0)
    output: Price = Decimal(0)
    cache_read: Price | None = None
    cache_write: Price | None = None
    request: Price = Decimal(0)
    tiers: tuple[Tier, ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> "ModelPrices":
        if not {"input", "output", "request"} & self.model_fields_set:
            raise ValueError("has no price: give input and output, or request (0 for what is free)")
        if self.valid_from is not None and self.valid_until is not None and self.valid_from >= self.valid_until:
            raise ValueError("valid_until must be later than valid_from")
        sizes = [tier.above for tier in self.tiers]
        if sizes != sorted(set(sizes)):
            raise ValueError("tiers must stand in the order of `above`, each once")
        return self

    def matches(self, provider: str, model: str, at: datetime, service_tier: str | None) -> bool:
        """Whether this entry prices such a call; `provider` and `model` in lower case."""
        if self.service_tier is not None and self.service_tier != service_tier:
            return False
        if self.valid_from is not None and at < self.valid_from:
            return False
        if self.valid_until is not None and at >= self.valid_until:
            return False
        return fnmatchcase(model, self.model.lower()) and fnmatchcase(provider, self.provider.lower())

    def rates(self, tokens_in: int) -> Rates:
        """The prices of a call of this size."""
        found: dict[str, Decimal | None] = {kind: getattr(self, kind) for kind in _KINDS}
        for tier in self.tiers:
            if tokens_in > tier.above:
                found |= {kind: price for kind in _KINDS if (price := getattr(tier, kind)) is not None}
        prices = {kind: (found["input"] if price is None else price) or Decimal(0) for kind, price in found.items()}
        return Rates(fixed=self.request, **{kind: price / _MILLION for kind, price in prices.items()})


class _Document(_Entry):
    prices: tuple[ModelPrices, ...]


class PriceFile:
    """A price file that was read; `version` tells it from every other."""

    def __init__(self, content: bytes, name: str) -> None:
        """`content` is the file's bytes, `name` stands in errors. Raises `ConfigError` with every problem, each with its line."""
        self.content = content
        self.name = name
        self.version = f"user {hashlib.sha256(content).hexdigest()[:12]}"
        self._entries = _parse(content, name).prices

    def __reduce__(self) -> tuple[type["PriceFile"], tuple[bytes, str]]:
        return type(self), (self.content, self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PriceFile) and other.content == self.content

    def __hash__(self) -> int:
        return hash(self.content)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, provider: str | None, models: Iterable[str], seconds: int, service_tier: str | None, tokens_in: int) -> Rates | None:
        """Return the prices of a call at that unix time: of the model that answered, else of the one that was asked."""
        at = datetime.fromtimestamp(seconds, UTC)
        vendor = (provider or "").lower()
        for model in models:
            for entry in self._entries:
                if entry.matches(vendor, model.lower(), at, service_tier):
                    return entry.rates(tokens_in)
        return None


def load_price_file(path: Path) -> PriceFile:
    """Read a price file. Raises `ConfigError` naming the file, and line, key and remedy of every problem."""
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"cannot be read ({error.strerror}): correct processors.pricing.file, or create the file"
        raise ConfigError(str(path), [Problem(path="", line=1, message=message)]) from None
    return PriceFile(content, str(path))


def _parse(content: bytes, name: str) -> _Document:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(name, [Problem(path="", line=1, message="is not UTF-8 text: save it as UTF-8")]) from None
    source = read(text, name, {})
    if not isinstance(source.values, dict):
        raise ConfigError(name, [source.problem((), "must be a mapping with the key prices: a list of entries")])
    try:
        return _Document.model_validate(source.values)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        raise ConfigError(name, [_problem(source, detail["type"], detail["loc"], detail["msg"]) for detail in details]) from None


def _problem(source: Source, kind: str, where: Sequence[str | int], message: str) -> Problem:
    if kind == "extra_forbidden":
        models: tuple[type[BaseModel], ...] = (_Document, ModelPrices, Tier)
        valid = models[sum(isinstance(part, int) for part in where)].model_fields
        close = nearest(str(where[-1]), valid)
        message = f"unknown key {str(where[-1])!r}: " + (f"did you mean {close!r}?" if close else f"known are {', '.join(valid)}")
    return source.problem(tuple(where), message.removeprefix("Value error, ").replace("Field required", "is required"))
