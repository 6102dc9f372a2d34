"""Context words of countries' recognizers where upstream's are everyday words that stand beside ids, and which need none.

Measured on ids, hashes, times, order numbers and codes of telemetry: upstream's checksums let one number in ten or eleven pass, and words
such as `address`, `plate`, `pass`, `auth` or `provider` say nothing about the number after them. Here a recognizer needs one of its words,
unless its shape and checksum are met by none of 60,000 such tokens.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

CERTAIN: Final = frozenset({
    "DE_HANDELSREGISTER", "DE_SOCIAL_SECURITY", "DE_VAT_ID", "IN_GSTIN", "IN_PAN", "IT_FISCAL_CODE", "SG_NRIC_FIN",
    "UK_DRIVING_LICENCE", "UK_NINO", "US_MBI",
})  # fmt: skip
"""Found without a context word, in capital letters."""

SOME_DIGIT: Final = r"\d"
FIVE_DIGITS: Final = r"\d(?:[^0-9A-Za-z]?\d){4}"
"""What matches contain: shared by all recognizers that need words, because expressions of each country take seconds to compile."""

FEW_DIGITS: Final = frozenset({
    "CA_POSTAL_CODE", "DE_ID_CARD", "DE_KFZ", "DE_PASSPORT", "IN_VEHICLE_REGISTRATION", "IT_DRIVER_LICENSE", "KR_PASSPORT",
    "NG_VEHICLE_REGISTRATION", "SG_UEN", "TR_LICENSE_PLATE", "UK_POSTCODE", "UK_VEHICLE_REGISTRATION", "US_HEALTH_INSURANCE_MEMBER_ID",
    "ZA_LICENSE_PLATE",
})  # fmt: skip
"""Whose matches need not have five digits in a row."""

_PLATE: Final = ("license plate", "licence plate", "number plate", "plate number", "vehicle registration")

WORDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "ABA_ROUTING_NUMBER": ("aba", "routing number", "routing no", "routing transit", "abarouting", "bankrouting"),
    "CA_POSTAL_CODE": (
        "postal code", "postcode", "zip code", "code postal", "canada", "ontario", "quebec", "québec", "alberta", "british columbia",
        "manitoba", "saskatchewan", "nova scotia", "new brunswick",
    ),
    "CA_SIN": ("sin", "social insurance", "numéro nas", "numéro d assurance sociale", "assurance sociale"),
    "DE_BSNR": (
        "betriebsstättennummer", "betriebsstätten nummer", "bsnr", "betriebsstätte", "praxisnummer", "arztpraxis",
        "nebenbetriebsstätte", "hauptbetriebsstätte", "vertragsarztpraxis", "kassenärztliche vereinigung",
    ),
    "DE_FUEHRERSCHEIN": (
        "führerscheinnummer", "führerschein", "fahrerlaubnis", "fahrerlaubnisnummer", "driving licence", "driving license",
        "driver s license", "drivers license",
    ),
    "DE_ID_CARD": (
        "personalausweis", "ausweis", "personalausweisnummer", "ausweisnummer", "npa", "bundespersonalausweis", "identity card",
        "national id",
    ),
    "DE_KFZ": ("kennzeichen", "kfz", "kraftfahrzeugkennzeichen", "nummernschild", "fahrzeugkennzeichen", "pkw", "lkw", "fahrzeugschein",
               "fahrzeugbrief", "zulassungsbescheinigung", *_PLATE),
    "DE_LANR": ("arztnummer", "lanr", "arzt nr", "arzt nummer", "vertragsarzt", "kassenarzt", "behandelnder arzt", "hausarzt", "facharzt"),
    "DE_PASSPORT": ("reisepass", "passnummer", "reisepassnummer", "passport", "pass nr", "mrz"),
    "DE_PLZ": ("plz", "postleitzahl", "postanschrift", "anschrift", "wohnanschrift", "lieferadresse", "rechnungsadresse", "straße",
               "strasse", "hausnummer", "postfach"),
    "DE_TAX_NUMBER": ("steuernummer", "steuer nr", "st nr", "finanzamt", "steuerbescheid"),
    "ES_NIE": ("nie", "número de identificación de extranjero", "identificación de extranjero", "tarjeta de residencia"),
    "ES_NIF": ("dni", "nif", "documento nacional de identidad", "número de identificación fiscal"),
    "IN_AADHAAR": ("aadhaar", "aadhar", "uidai"),
    "IN_PAN": ("permanent account number", "pan number", "pan card", "pan"),
    "IN_VEHICLE_REGISTRATION": ("rto", "vehicle number", "registration number", *_PLATE),
    "IN_VOTER": ("voter", "epic number", "epic no", "elector photo identity card"),
    "IT_DRIVER_LICENSE": ("patente", "driving licence", "driving license", "driver s license"),
    "IT_IDENTITY_CARD": ("carta d identità", "carta di identità", "carta identità", "cie", "documento d identità", "documento di identità",
                         "identity card"),
    "IT_PASSPORT": ("passaporto", "passport"),
    "IT_VAT_CODE": ("piva", "partita iva", "p iva", "vat number", "vat id"),
    "KR_DRIVER_LICENSE": ("운전면허", "운전면허번호", "면허번호", "korean driver license", "korean driver s license"),
    "KR_FRN": ("외국인등록번호", "외국인번호", "frn", "foreigner registration number"),
    "KR_RRN": ("주민등록번호", "주민번호", "rrn", "resident registration number"),
    "NG_VEHICLE_REGISTRATION": _PLATE,
    "PH_TIN": ("tin", "taxpayer identification number", "taxpayer id", "tax id"),
    "PH_UMID": ("umid", "unified multi purpose id", "unified multipurpose id", "sss", "gsis", "philhealth", "pag ibig"),
    "SG_UEN": ("uen", "unique entity number", "acra"),
    "TR_LICENSE_PLATE": ("plaka", "plakası", "plaka numarası", *_PLATE),
    "UK_PASSPORT": ("passport", "passports", "travel document", "hmpo"),
    "UK_POSTCODE": ("postcode", "post code", "postal code", *(f"{whose} address" for whose in (
        "postal", "home", "delivery", "mailing", "shipping", "billing", "correspondence", "street"))),
    "UK_VEHICLE_REGISTRATION": ("reg number", "reg plate", "registration number", "vrn", "dvla", "v5c", "insured vehicle", *_PLATE),
    "US_CLAIM_NUMBER": ("medical claim", "healthcare claim", "insurance claim", "claim number", "claim no", "claim id"),
    "US_HEALTH_INSURANCE_MEMBER_ID": ("health insurance", "insurance member", "insurance id", "insurance policy", "health plan",
                                      "subscriber id"),
    "US_MBI": ("medicare", "mbi", "beneficiary", "medicaid", "hicn"),
    "US_NPI": ("npi", "national provider"),
    "US_PRESCRIPTION_NUMBER": ("prescription", "pharmacy", "medication", "rx number", "rx no"),
    "US_PRIOR_AUTHORIZATION_NUMBER": ("prior authorization", "prior auth", "preauthorization", "pre auth"),
    "US_PROVIDER_TAX_ID": ("tax id", "tax identification number", "tin", "ein", "employer identification", "billing provider"),
    "US_REFERRAL_NUMBER": ("referral number", "referral no", "referral id", "medical referral", "infusion referral", "referring provider",
                           "referring physician"),
    "ZA_DRIVER_LICENSE": ("driving licence", "driving license", "driver s licence", "driver s license", "drivers licence",
                          "drivers license", "enatis", "natis"),
    "ZA_ID_NUMBER": ("identity number", "id number", "south african id", "rsa id", "smart id", "national id", "sa id"),
    "ZA_LICENSE_PLATE": ("natis", "enatis", *_PLATE),
    "ZA_TRAFFIC_REGISTER_NUMBER": ("traffic register", "enatis", "natis", "vehicle register"),
    "ZA_VAT_NUMBER": ("vat number", "vat no", "vat registration", "vat reg", "value added tax"),
})  # fmt: skip
"""By entity; the others have upstream's words."""
