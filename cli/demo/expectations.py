"""What the demo shows, as data: docs/demo.md prints this table, and the end-to-end test holds the demo to it."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One alert that the demo must raise."""

    agent: str  # whose doing it is
    alert: str
    state: str
    after_seconds: float  # from its start until the agent has done enough of it
    within_seconds: float  # after the start of the demo
    because: str
    label: str = ""  # a text in its labels, where those do not name the agent

    @property
    def known_by(self) -> str:
        """The text by which its labels are recognised."""
        return self.label or self.agent


EXPECTATIONS: Final = (
    Expectation(
        agent="support", alert="UnapprovedSideEffect", state="firing", after_seconds=25, within_seconds=180,
        because="every sixth refund, the second among them, is issued without the approval that it needs",
    ),
    Expectation(
        agent="looping", alert="RunawayAgent", state="firing", after_seconds=15, within_seconds=180,
        because="in its first run, and every eighth, it calls the same tool with the same arguments until it runs out of steps",
    ),
    Expectation(
        agent="failing", alert="HighErrorRate", state="firing", after_seconds=30, within_seconds=240,
        because="about four in ten of its model and tool calls fail",
    ),
    Expectation(
        agent="silent", alert="AgentDown", state="firing", after_seconds=35, within_seconds=240,
        because="it declares a heartbeat every 5 s, beats for 20 s, and ends without a word",
    ),
    Expectation(
        agent="report", alert="CostSpike", state="firing", after_seconds=30, within_seconds=300,
        because="it spends some $30 on a dear model, after 30 days of about $1 a day",
    ),
    Expectation(
        agent="thorough", alert="AuditWriteLatency", state="firing", after_seconds=70, within_seconds=300, label="/collector",
        because="each of its audit records holds 80 kB that were never seen before, which redaction scans before it is acknowledged",
    ),
    Expectation(
        agent="support", alert="SecurityEvent", state="firing", after_seconds=15, within_seconds=180,
        because="every fourth ticket, the second among them, tries to talk it into something, and the guard blocks what is in earnest",
    ),
    Expectation(
        agent="failing", alert="DeadLetter", state="firing", after_seconds=45, within_seconds=180,
        because="what fails twice is given up: about four in ten of its price lists",
    ),
    Expectation(
        agent="support", alert="RetrievalTrust", state="firing", after_seconds=75, within_seconds=240,
        because="every third time the handbook that it finds is older than it may be",
    ),
    Expectation(
        agent="thorough", alert="AuditWriteLatencyBudget", state="firing", after_seconds=70, within_seconds=300,
        label="audit-write-latency",
        because="its audit records also spend the error budget of the SLO of audit writes, some hundred times as fast as they may",
    ),
    Expectation(
        agent="failing", alert="AgentAvailability", state="firing", after_seconds=120, within_seconds=300,
        because="the runs that it gives up spend the error budget of its availability",
    ),
)  # fmt: skip
