"""Whether a value is a person's name, judging by its shape and by the keys beside it; pure.

Tools, models, agents, services and files have names, too, and a lake without those is of no use. So a bare `name` is a person's only
when it is written like one, or when an e-mail address, a date of birth or the like stands beside it.
"""

import re
from collections.abc import Iterable, Set
from typing import Final

from redaction.given_names import GIVEN_NAMES

LONGEST_NAME: Final = 80

_WORD: Final = r"(?:Mc|Mac|O['’]|D['’]|L['’]|De|Di|La|Le|Van|Von)?[^\W\d_a-z][^\W\d_A-Z]+|[^\W\d_a-z]['’]?\.?"
_FULL: Final = rf"(?:{_WORD})(?:[-‐'’](?:{_WORD}))*"
_PARTICLE: Final = r"(?:van|von|vom|zu|zur|de|der|den|del|della|di|da|dos|das|du|la|le|bin|ibn|al|el|ben|ter|ten|y|e|af|av|und)"
_TITLE: Final = r"(?:Dr|Mr|Mrs|Ms|Miss|Mx|Prof|Professor|Sir|Dame|Herr|Frau|Señor|Señora|Monsieur|Madame|Mme)\.?"
_NAME: Final = re.compile(
    rf"(?:{_TITLE}\s+)*{_FULL}(?:,?\s+(?:{_PARTICLE}\s+){{0,2}}{_FULL}){{0,4}}(?:,?\s+(?:Jr|Sr|II|III|IV|PhD|MD)\.?)?"
)
_CAPITALS: Final = re.compile(r"[^\W\d_a-z]{2,}(?:[-'’][^\W\d_a-z]+)*(?:\s+[^\W\d_a-z]{2,}(?:[-'’][^\W\d_a-z]+)*){1,3}")
_UNCASED: Final = r"[\u0590-\u1fff\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]{1,12}"
_OTHER_SCRIPT: Final = re.compile(rf"[\u4e00-\u9fff\uac00-\ud7af]{{2,4}}|{_UNCASED}(?:[\s・·]{_UNCASED}){{1,3}}")
_LOOSE: Final = re.compile(r"[^\W\d_][^\d_/\\{}<>=:#|@]{1,79}")
_SUFFIXED: Final = re.compile(r"(?:ing|tion|sion|ment|ness|ship|ance|ous|ful|less|able|ible|tive|ical|ally|ised|ized)s?$")
"""Endings of words that name no person, unless a given name stands before them."""
_PARTS: Final = re.compile(r"[^\W\d_]+")

_MACHINES: Final = """
    agent agents assistant bot chatbot copilot tool tools toolkit model models service services server client api manager supervisor
    planner researcher research reviewer review executor router orchestrator coordinator worker handler controller engine system user
    human admin administrator function functions workflow pipeline chain graph node task tasks step steps search weather calculator
    retriever retrieval embedding embeddings classifier summarizer summariser translator analyst analysis expert helper specialist
    evaluator guardrail triage support customer customers account accounts order orders invoice billing payment payments refund refunds
    product products item items ticket tickets report reports document documents file files email emails message messages database data
    query table schema index collection dataset test tests demo example sample default unknown none null undefined anonymous guest group
    team company corporation corp inc ltd llc gmbh bank university college institute hospital hotel restaurant cafe store shop airport
    station museum library center centre department office agency ministry committee council foundation association program programme
    platform app application software hardware framework language plan express premium enterprise google microsoft amazon openai anthropic
    gemini gpt chatgpt github gitlab docker kubernetes postgres mysql redis
"""
"""No person's name has one of these words."""

_THINGS: Final = """
    critic writer judge guard page pages school street road avenue city county state province country island park society club party union
    league project main basic standard pro free gold silver bronze visa mastercard american card credit united states kingdom north south
    east west new york los angeles san francisco las vegas hong kong great britain saudi arabia sri lanka costa rica puerto el salvador
    cape czech republic european africa america asia europe australia world hello welcome good morning afternoon evening night happy thank
    thanks dear all everyone everybody folks there sir madam monday tuesday wednesday thursday friday saturday sunday january february
    march april may june july august september october november december spring summer autumn winter today tomorrow yesterday red green
    blue black white yellow orange purple brown grey gray pink dark light large small medium wireless mouse keyboard laptop phone
    headphones monitor shirt shoes jacket coffee tea chair desk lamp book bag watch camera status type level total first last next apple
    claude llama mistral siri alexa cortana bard grok cohere azure aws gcp slack jira linux windows macos android python java javascript
    typescript rust the a an of in on for with and or to is are was error warning info high low critical time date portal login logout
    secret secrets key keys token tokens id ids name names list success information request requests response responses details detail
    record records history profile dashboard settings address number code care safety rights journey experience feedback insights loyalty
    churn segment segments master ledger side outcome outcomes intake consent privacy notice agreement policy policies terms conditions
    important feeling working sorry glad ready sure unable able not here looking trying having going using writing interested currently
    just also very so excited pleased back again right correct true false your you my our their his her its it this that these those we i
    they he she please could would can will if when where what who why how regarding re subject from at by as be been being has have had
    do does did no yes ok okay let me us let's see call calling reach contact hiring valued team service sales marketing finance excel
    powerpoint legal security compliance operations engineering developer engineer designer director officer president chief head vice
    senior junior lead intern staff member members partner partners vendor supplier owner reader readers subscriber friend friends
    colleague colleagues neighbor neighbour ladies gentlemen guys concerned applicant candidate students parents passengers residents
    citizens shoppers travelers regards sincerely best kind warm cheers sent via mobile iphone unsubscribe confidential disclaimer ceo cto
    cfo coo vp hr qa phd md esq
"""
"""Nor one of these, unless it begins with a given name: Jane Brown is somebody, Brown Shoes are not."""

_NONE: Final = """
    string str text integer int number float double boolean bool object array list dict null none nil undefined unknown optional required
    n/a na any date datetime uuid enum true false - -- ? . … ... redacted removed hidden masked yes no
"""
_MACHINE_WORDS: Final = frozenset(_MACHINES.split())
_THING_WORDS: Final = _MACHINE_WORDS | frozenset(_THINGS.split())
TYPE_WORDS: Final = frozenset(_NONE.split())
"""What stands for a value where there is none: in schemas, in forms that were not filled in."""


def is_name(text: str) -> bool:
    """Whether `text` is written like a person's name: two to five capitalised words, or one known given name."""
    if not 2 <= len(text) <= LONGEST_NAME:
        return False
    stripped = text.strip()
    if _OTHER_SCRIPT.fullmatch(stripped) is not None:
        return True
    if _NAME.fullmatch(stripped) is None and _CAPITALS.fullmatch(stripped) is None:
        return False
    parts = [part.lower() for part in _PARTS.findall(stripped)]
    given = parts[0] in GIVEN_NAMES
    if not (_MACHINE_WORDS if given else _THING_WORDS).isdisjoint(parts):
        return False
    if len(parts) == 1:
        return given
    return any(len(part) > 1 for part in parts) and (given or not any(_SUFFIXED.search(part) for part in parts))


def is_common_word(word: str) -> bool:
    """Whether one capitalised word is a word for a machine, a thing or a group."""
    return word.lower() in _THING_WORDS


def may_be_person(
    text: str, siblings: Iterable[str] | None, *, machine: frozenset[str], person: frozenset[str], known: bool = False
) -> bool:
    """Whether the value of a bare `name` is a person's, given the other keys of its object (None: it stands alone).

    `known` says that the object is a person, as far as its own key goes.
    """
    beside = siblings if isinstance(siblings, Set) else frozenset(siblings or ())
    if known or not beside.isdisjoint(person):
        return is_name(text) or (_LOOSE.fullmatch(text) is not None and not _is_identifier(text) and text.lower() not in TYPE_WORDS)
    return beside.isdisjoint(machine) and is_name(text)


def _is_identifier(text: str) -> bool:
    """Whether one word is written as code writes it: `getWeather`, `get-weather`, `WeatherAgent`."""
    return " " not in text and re.search(r"[a-z][A-Z]|[-.]", text) is not None
