"""Runs for people: the list of them, and one reconstructed: its story, what is missing from it, where it went in circles, who did what.

The parts work on plain step dictionaries, as the view `steps` gives them, and can be used alone: `graph`, `loops`.
"""

from storage.runs.delegation import graph
from storage.runs.listing import SORTS, STATUSES, RunFilter, RunPage, find, list_runs, page_runs
from storage.runs.reconstruction import reconstruct
from storage.runs.repetition import loops

__all__ = ["SORTS", "STATUSES", "RunFilter", "RunPage", "find", "graph", "list_runs", "loops", "page_runs", "reconstruct"]
