"""Keys that say what their value is, in the spellings that people use: pure data and one look-up.

A key is taken apart into words (`customerName`, `customer-name`, `customer.name.0` and `CustomerName` are all customer, name) and its
longest known ending decides: `shipping_address` is an address, `ip_address` is not. Some keys are ambiguous: a `name` is a tool's more
often than a person's. For those the value and the other keys of the object have a say (`redaction.people`).
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

WORDS_AT_MOST: Final = 5
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W_A-Za-z\d]+")


class Test(Enum):
    """What the value has to look like for its key to count."""

    ANY = "any"
    PERSON = "person"  # a person's name, judging by its shape and by the keys beside it
    PLACE = "place"  # not the address of a machine
    NUMBER = "number"  # holds digits
    ACCOUNT = "account"  # digits are an account; an id of another shape becomes a pseudonym
    DATE = "date"  # a date, also in parts
    NO_PATH = "no path"  # `full_name` is also the owner and name of a repository
    LITERAL = "literal"  # no placeholder and no sentence
    MIXED = "mixed"  # has digits or symbols: `pwd` is also a folder, `pass` an outcome
    RANDOM = "random"  # random, or no name of anything


@dataclass(frozen=True, slots=True)
class Sensitive:
    """What a key says about its value."""

    entity: str
    test: Test


def _table(entity: str, test: Test, endings: str) -> dict[str, Sensitive]:
    return {ending.replace("_", ""): Sensitive(entity, test) for ending in endings.split()}


_ENDINGS: Final[dict[str, Sensitive]] = {
    **_table("PERSON", Test.PERSON, """
        name names client_name display_name nick_name nickname sender_name member_name author_name owner_name assignee_name user_name
        username login driver_name seller_name reporter_name attendee_name user author approver assignee owner reporter attendee customer
        patient employee person passenger guest contact recipient given family signer doctor nurse tenant_name nom nombre
    """),
    **_table("PERSON", Test.NO_PATH, "full_name fullname real_name legal_name preferred_name"),
    **_table("PERSON", Test.ANY, """
        first_name last_name middle_name given_name family_name surname fore_name forename maiden_name mothers_maiden_name f_name l_name
        customer_name customer_full_name patient_name employee_name person_name contact_name contact_person guest_name passenger_name
        traveler_name traveller_name holder_name account_holder account_holder_name card_holder card_holder_name name_on_card beneficiary
        beneficiary_name payee payee_name payer payer_name recipient_name student_name applicant applicant_name insured insured_name
        policy_holder policyholder borrower borrower_name doctor_name physician physician_name provider_full_name nurse_name parent_name
        guardian guardian_name spouse spouse_name emergency_contact emergency_contact_name next_of_kin father_name fathers_name mother_name
        mothers_name signatory signatory_name shipping_name billing_name buyer_name candidate_name lead_name subscriber_name witness_name
        donor_name tenant_full_name user_full_name caller_name callee_name first_and_last_name primary_contact
        vorname nachname familienname kundenname ansprechpartner prénom prenom nom_de_famille nom_complet nom_client
        nombre_completo nombre_cliente apellido apellidos
    """),
    **_table("ADDRESS", Test.PLACE, """
        address address_line addr address_line_one address_line_two line_address street street_address street_name house_number
        mailing_address shipping_address billing_address home_address postal_address delivery_address residential_address
        work_address current_address residence place_of_residence zip zip_code zipcode postal_code postcode post_code
        anschrift adresse strasse straße plz postleitzahl code_postal rue dirección direccion domicilio calle código_postal codigo_postal
    """),
    **_table("DATE_OF_BIRTH", Test.DATE, """
        dob d_o_b date_of_birth birth_date birthdate birthday birth_day born_on date_birth birth_year year_of_birth
        geburtsdatum geburtstag date_de_naissance fecha_de_nacimiento fecha_nacimiento
    """),
    **_table("US_SSN", Test.NUMBER, """
        ssn social_security social_security_number social_security_no social_sec_no soc_sec ssn_number ssn_last_four ss_number
    """),
    **_table("NATIONAL_ID", Test.NUMBER, """
        national_id national_id_number national_identifier national_identification_number national_insurance_number ni_number nino
        identity_number identity_card identity_card_number id_card id_card_number id_number citizen_id personal_id_number
        government_id sin_number social_insurance_number aadhaar aadhaar_number aadhar pesel personnummer bsn codice_fiscale curp dni nie
        sozialversicherungsnummer personalausweisnummer numero_de_securite_sociale
    """),
    **_table("PASSPORT", Test.NUMBER, "passport passport_no passport_number passport_num passport_id reisepassnummer pasaporte"),
    **_table("DRIVER_LICENSE", Test.NUMBER, """
        driver_license drivers_license driver_licence driving_license driving_licence driver_license_number drivers_license_number
        driver_license_no driving_license_number driving_licence_number dl_number license_plate licence_plate plate_number
        führerscheinnummer
    """),
    **_table("TAX_ID", Test.NUMBER, """
        tax_id tax_number tax_identification_number taxpayer_id taxpayer_identification_number tin itin ein vat_number vat_id tax_no
        steuernummer steuer_id nif cif
    """),
    **_table("ACCOUNT", Test.ACCOUNT, "account acct konto compte cuenta"),
    **_table("ACCOUNT", Test.NUMBER, """
        account_number account_no acct_number acct_no account_num acct_num bank_account bank_account_number bank_acct checking_account
        savings_account account_nr from_account to_account source_account destination_account routing_number routing_no routing
        aba_number aba_routing sort_code bsb bsb_number swift swift_code bic customer_account customer_account_number
        kontonummer bankleitzahl blz numero_de_compte número_de_cuenta numero_de_cuenta member_number policy_number insurance_number
        insurance_id insurance_member_id health_insurance_number health_plan_number
    """),
    **_table("IBAN_CODE", Test.NUMBER, "iban iban_number iban_code"),
    **_table("CREDIT_CARD", Test.NUMBER, """
        card_number card_no card_num credit_card credit_card_number credit_card_no debit_card debit_card_number cc_number cc_num cc_no pan
        primary_account_number payment_card card_pan kartennummer kreditkarte numero_de_carte tarjeta
    """),
    **_table("CARD_SECURITY_CODE", Test.NUMBER, """
        cvv cvc cvn csc cvvcode cvc_code security_code card_verification_value card_verification_code card_cvv card_cvc
        pin pin_code card_pin
    """),
    **_table("CARD_EXPIRY", Test.NUMBER, """
        card_expiry card_expiration card_exp expiry_month expiry_year exp_month exp_year card_expiry_date card_expiration_date
        card_valid_thru valid_thru
    """),
    **_table("PHONE_NUMBER", Test.NUMBER, """
        phone phone_number phone_no phone_num telephone telephone_number tel tel_no mobile mobile_number mobile_no mobile_phone cell
        cell_phone cellphone cell_number fax fax_number home_phone work_phone whatsapp whatsapp_number msisdn contact_number
        emergency_phone telefon telefonnummer handynummer handy mobilnummer téléphone telefono teléfono numero_de_telephone
    """),
    **_table("EMAIL_ADDRESS", Test.ANY, """
        email e_mail email_address e_mail_address mail_address email_addr contact_email user_email customer_email work_email
        personal_email correo correo_electronico
    """),
    **_table("MEDICAL_RECORD", Test.NUMBER, """
        mrn medical_record_number medical_record_no medical_record patient_number patient_no health_record_number nhs_number
        medicare_number medicaid_number health_card_number versichertennummer krankenversichertennummer
    """),
}  # fmt: skip

_OTHER_ENDINGS: Final = """
        ip_address ipv_address mac_address server_address host_address remote_address peer_address local_address memory_address web_address
        url_address socket_address bind_address listen_address network_address client_address base_address start_address contract_address
        wallet_address source_address destination_address return_value_address proxy_address api_address service_address
        service_account cloud_account storage_account aws_account type_of_address
        file_name tool_name model_name agent_name function_name service_name class_name method_name module_name package_name host_name
        table_name column_name field_name variable_name project_name repo_name branch_name image_name node_name span_name event_name
        db_user db_owner repo_owner code_owner system_user iam_user os_user role_user
"""
_NOT_SENSITIVE: Final = frozenset(ending.replace("_", "") for ending in _OTHER_ENDINGS.split())
"""Longer endings that are something else."""

ENTITIES: Final = tuple(sorted({each.entity for each in _ENDINGS.values()}))


def words(key: str) -> list[str]:
    """Return the lower-case words of a key; digits and punctuation part them."""
    return [word.lower() for word in _WORD.findall(key)]


def sensitive(key: str) -> Sensitive | None:
    """Return what a key says about its value, or None. A single ambiguous word counts only when it is the whole key."""
    parts = words(key)
    for count in range(min(WORDS_AT_MOST, len(parts)), 0, -1):
        ending = "".join(parts[-count:])
        if ending in _NOT_SENSITIVE:
            return None
        known = _known(ending)
        if known is not None:
            return None if known.test in _WHOLE_KEYS and count == 1 < len(parts) else known
    return None


def _known(ending: str) -> Sensitive | None:
    """Look an ending up, also one in the plural."""
    for singular in (ending, ending.removesuffix("s"), ending.removesuffix("es")):
        if (known := _ENDINGS.get(singular)) is not None:
            return known
    return None


_WHOLE_KEYS: Final = frozenset({Test.PERSON, Test.ACCOUNT})
