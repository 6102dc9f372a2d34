"""Conversation content in one normal form, whatever convention carried it, and the conversation of a run without its repetitions.

Reads redacted attributes, span events and log records as stored. What redaction put there (`<EMAIL_ADDRESS>`, `<WITHHELD:…>`,
`<BLOB:…>`) stays as it is; JSON that is cut off or broken is shown as text. Pure.
"""

from storage.messages.conversation import Turn, conversation, messages_of_step, turns
from storage.messages.form import PART_TYPES, Message, Part
from storage.messages.tools import arguments, pretty, result, shown

__all__ = ["PART_TYPES", "Message", "Part", "Turn", "arguments", "conversation", "messages_of_step", "pretty", "result", "shown", "turns"]
