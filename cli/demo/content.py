"""What users ask, documents say and models answer: templates that repeat, as real traffic does."""

import random
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["refund", "delivery", "address", "warranty", "invoice"]

ORDERS: Final = tuple(range(40181, 40221))
PRODUCTS: Final = (
    "walnut desk lamp",
    "linen duvet set",
    "espresso grinder",
    "trail running shoes",
    "ceramic planter",
    "noise-cancelling headset",
)
REGIONS: Final = ("Leeds", "Ghent", "Porto", "Graz", "Aarhus")

_QUESTIONS: Final[dict[Kind, tuple[str, ...]]] = {
    "refund": (
        "The {product} from order {order} arrived broken. I would like my money back.",
        "I returned the {product} of order {order} nine days ago and have not been refunded.",
        "Order {order} was charged twice. Please refund one of the two payments.",
    ),
    "delivery": (
        "Where is order {order}? It should have reached {region} on Tuesday.",
        "The tracking of order {order} has not moved since it left the warehouse in {region}.",
    ),
    "address": (
        "Can order {order} still go to our office in {region} instead?",
        "I moved to {region} last week. Please change the delivery address of order {order}.",
    ),
    "warranty": (
        "The {product} stopped working after five months. Is that covered?",
        "How long is the warranty of the {product} in order {order}?",
    ),
    "invoice": (
        "I need an invoice with our VAT number for order {order}.",
        "The invoice of order {order} shows the wrong company name.",
    ),
}
_ANSWERS: Final[dict[Kind, tuple[str, ...]]] = {
    "refund": (
        "I am sorry about the {product}. The refund for order {order} is on its way and takes three to five days to reach your account.",
        "Thank you for waiting. The refund for order {order} was issued just now.",
    ),
    "delivery": ("Order {order} left {region} this morning and arrives within two working days.",),
    "address": ("Order {order} now goes to {region}. You will get a new confirmation in a few minutes.",),
    "warranty": ("The {product} has a warranty of 24 months, so this is covered. I have opened a repair for you.",),
    "invoice": ("The corrected invoice for order {order} is in your account under Documents.",),
}
TOOLS: Final[dict[Kind, str]] = {
    "refund": "issue_refund",
    "delivery": "track_parcel",
    "address": "change_address",
    "warranty": "open_repair",
    "invoice": "render_invoice",
}
SIDE_EFFECTS: Final[dict[Kind, Literal["read", "write", "external"]]] = {
    "refund": "external",
    "delivery": "read",
    "address": "write",
    "warranty": "write",
    "invoice": "read",
}
DOCUMENTS: Final[dict[Kind, tuple[str, ...]]] = {
    "refund": ("handbook/refunds#limits", "handbook/refunds#damaged-goods", "policy/payments#double-charge"),
    "delivery": ("handbook/delivery#delays", "carriers/service-levels"),
    "address": ("handbook/delivery#address-change", "policy/fraud#address-change"),
    "warranty": ("handbook/warranty#terms", "handbook/warranty#repairs"),
    "invoice": ("handbook/invoices#vat", "policy/tax#company-names"),
}
SYSTEM_PROMPT: Final = (
    "You are the support agent of Northwind Home. Be brief and kind. Look orders up before you promise anything. "
    "Refunds above 50 euros need the approval of the shift lead. Never ask for card numbers or passwords."
)

RESEARCH_QUESTIONS: Final = (
    "How did wholesale prices of walnut veneer develop this year, and what do suppliers expect?",
    "Which carriers in the Benelux offer delivery within one day for parcels above 20 kg?",
    "What changes for online shops with the new repair directive, and from when?",
    "Compare the return rates of bedding and lighting in European e-commerce.",
    "Summarise what reviewers dislike about espresso grinders below 200 euros.",
)
RESEARCH_FINDINGS: Final = (
    "Three of four sources report an increase of 6 to 8 percent since spring; two suppliers expect prices to settle by March.",
    "Two carriers cover the whole region; a third only ports and larger cities. Prices differ by a factor of 1.6 above 20 kg.",
    "The directive applies to goods sold from July on. Spare parts must be available for seven years.",
    "Bedding is returned about twice as often as lighting; the commonest reason is that the colour differs from the photograph.",
)
SEARCHES: Final = (
    "veneer price index",
    "parcel carriers heavy goods",
    "repair directive spare parts",
    "return rates by category",
    "grinder reviews",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One request to the support agent, with its answer."""

    kind: Kind
    order: int
    amount: float
    question: str
    answer: str
    documents: tuple[str, ...]
    tool: str

    @property
    def reference(self) -> str:
        """The reference of the ticket."""
        return f"ticket-{self.order}"

    @property
    def arguments(self) -> dict[str, object]:
        """The arguments of the ticket's tool."""
        return {"order": self.order, "amount": self.amount, "currency": "EUR"} if self.kind == "refund" else {"order": self.order}


def ticket(rng: random.Random, kind: Kind | None = None) -> Ticket:
    """Return a ticket, of `kind` or of any kind."""
    chosen = kind or rng.choices(list(_QUESTIONS), weights=[4, 4, 2, 2, 2])[0]
    words = {"order": rng.choice(ORDERS), "product": rng.choice(PRODUCTS), "region": rng.choice(REGIONS)}
    return Ticket(
        kind=chosen,
        order=int(words["order"]),
        amount=rng.choice((19.9, 34.5, 59.0, 89.0, 129.0)),
        question=rng.choice(_QUESTIONS[chosen]).format(**words),
        answer=rng.choice(_ANSWERS[chosen]).format(**words),
        documents=DOCUMENTS[chosen],
        tool=TOOLS[chosen],
    )
