"""One visual language for every page: what a kind of step, a status and a severity look like, in light and in dark.

Colour never speaks alone: every kind has an icon and a word, every status a sign and a word. The hues are Okabe and Ito's (safe for the
three common colour-vision deficiencies), darkened for light backgrounds and lightened for dark ones so that each keeps a contrast of at
least 3:1 against the page.
"""

from dataclasses import dataclass
from typing import Final, Literal

Theme = Literal["light", "dark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How one category is shown: word, Material symbol, and a colour for each theme."""

    label: str
    icon: str
    light: str
    dark: str

    def colour(self, theme: Theme) -> str:
        return self.dark if theme == "dark" else self.light


KINDS: Final[dict[str, Look]] = {
    "run": Look(label="Run", icon="flight_takeoff", light="#44546A", dark="#A9B8CC"),
    "agent": Look(label="Agent", icon="smart_toy", light="#5B4FC7", dark="#A9A0FF"),
    "model": Look(label="Model", icon="neurology", light="#0067A6", dark="#5BB8F0"),
    "tool": Look(label="Tool", icon="build", light="#A85F00", dark="#F2A93B"),
    "retrieval": Look(label="Retrieval", icon="search", light="#00795A", dark="#2BC79B"),
    "memory": Look(label="Memory", icon="database", light="#86489B", dark="#D39BE4"),
    "policy": Look(label="Policy", icon="gavel", light="#7A6800", dark="#DECB45"),
    "approval": Look(label="Approval", icon="how_to_reg", light="#A83A72", dark="#F08FC0"),
    "eval": Look(label="Evaluation", icon="fact_check", light="#46700C", dark="#A9D35F"),
    "checkpoint": Look(label="Checkpoint", icon="flag", light="#3D6A7D", dark="#8FC3D8"),
    "heartbeat": Look(label="Heartbeat", icon="monitor_heart", light="#6B7280", dark="#9CA3AF"),
    "message": Look(label="Message", icon="chat", light="#54606E", dark="#B4BFCC"),
    "other": Look(label="Other", icon="circle", light="#6B7280", dark="#9CA3AF"),
}

STATUSES: Final[dict[str, Look]] = {
    "ok": Look(label="ok", icon="check_circle", light="#1B7F4B", dark="#3DDC97"),
    "error": Look(label="error", icon="error", light="#C2261F", dark="#FF7A6E"),
    "running": Look(label="running", icon="pending", light="#0067A6", dark="#5BB8F0"),
    "abandoned": Look(label="abandoned", icon="link_off", light="#A85F00", dark="#F2A93B"),
    "unset": Look(label="unset", icon="check", light="#54606E", dark="#B4BFCC"),
}
SIGNS: Final[dict[str, str]] = {"ok": "✓", "error": "✗", "running": "●", "abandoned": "◌", "unset": "·"}
BADGES: Final[dict[str, Literal["green", "red", "blue", "orange", "gray"]]] = {
    "ok": "green", "error": "red", "running": "blue", "abandoned": "orange", "unset": "gray",
}  # fmt: skip

PERCENTILES: Final[dict[str, Look]] = {
    "p50": Look(label="p50", icon="", light="#0067A6", dark="#5BB8F0"),
    "p95": Look(label="p95", icon="", light="#A85F00", dark="#F2A93B"),
    "p99": Look(label="p99", icon="", light="#A83A72", dark="#F08FC0"),
}

_LIGHT: Final[dict[str, str]] = {
    "primaryColor": "#0067A6", "backgroundColor": "#FFFFFF", "secondaryBackgroundColor": "#F4F6F8", "textColor": "#17202B",
    "borderColor": "#DCE2E8", "redColor": "#C2261F", "orangeColor": "#A85F00", "blueColor": "#0067A6", "greenColor": "#1B7F4B",
    "linkColor": "#0067A6", "codeBackgroundColor": "#F4F6F8",
}  # fmt: skip
_DARK: Final[dict[str, str]] = {
    "primaryColor": "#5BB8F0", "backgroundColor": "#0F151C", "secondaryBackgroundColor": "#18212B", "textColor": "#E6EBF0",
    "borderColor": "#2A3643", "redColor": "#FF7A6E", "orangeColor": "#F2A93B", "blueColor": "#5BB8F0", "greenColor": "#3DDC97",
    "linkColor": "#5BB8F0", "codeBackgroundColor": "#18212B",
}  # fmt: skip
_BOTH: Final[dict[str, str]] = {
    "baseFontSize": "15", "baseRadius": "8px", "metricValueFontSize": "1.45rem", "metricValueFontWeight": "600",
    "showWidgetBorder": "true", "codeFontSize": "0.82rem", "paddingTop": "1.25rem",
}  # fmt: skip


def kind_look(kind: str | None) -> Look:
    """The look of a step's kind; a kind this version does not know looks like `other`."""
    return KINDS.get(kind or "other", KINDS["other"])


def theme_flags() -> list[str]:
    """The streamlit options that set both themes, as `--theme.x=y` arguments (streamlit has no other way without a folder of its own)."""
    flags = [f"--theme.{key}={value}" for key, value in _BOTH.items()]
    for name, colours in (("light", _LIGHT), ("dark", _DARK)):
        flags += [f"--theme.{name}.{key}={value}" for key, value in colours.items()]
    return flags
