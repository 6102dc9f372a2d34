"""The release gate: may this release go on, on the evidence of the runs that the lake has of it?"""

from storage.gate.pairs import KEYS
from storage.gate.reading import Scope
from storage.gate.report import markdown
from storage.gate.summary import document
from storage.gate.thresholds import Thresholds, load
from storage.gate.verdict import Question, Verdict, closed, judge

__all__ = ["KEYS", "Question", "Scope", "Thresholds", "Verdict", "closed", "document", "judge", "load", "markdown"]
