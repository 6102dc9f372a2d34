"""Credentials of payments and of trade."""

from typing import Final

from redaction.secrets.checks import has_digit, mixed, random_looking
from redaction.secrets.rule import ALONE, BASE64, HEX, URLSAFE, UUID, WORD, SecretRule, assigned, near, prefixed, shaped

RULES: Final = (
    prefixed("STRIPE_KEY", "Stripe key", "(?:sk|rk|ek)_(?:org_)?(?:live|test|prod)_", WORD, 10, 250, alone=False),
    prefixed("STRIPE_KEY", "Stripe key of a signing service", "(?:sk|rk)_(?:live|test)_", URLSAFE, 20, 250, alone=False, accept=has_digit),
    SecretRule(
        name="Stripe webhook secret",
        entity="STRIPE_KEY",
        shape="whsec_" + BASE64 + "{12}",
        expression="whsec_" + BASE64 + "{16,120}+={0,2}",
        score=0.95,
    ),
    prefixed("STRIPE_KEY", "Stripe client secret", "(?:pi|seti|cs|src)_[A-Za-z0-9]{14,40}_secret_", WORD, 16, 80),
    prefixed("SHOPIFY_TOKEN", "Shopify token", "shp(?:at|ca|pa|ss|ut)_", WORD, 30, 48, alone=False),
    prefixed("SQUARE_TOKEN", "Square token", "EAAA", URLSAFE, 56, 66, accept=mixed),
    prefixed("SQUARE_TOKEN", "Square token of old", "sq0(?:atp|csp|idb|idp)-", URLSAFE, 20, 50, alone=False),
    prefixed("PAYPAL_SECRET", "Braintree token", r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$", HEX, 32, 32),
    assigned("PAYPAL_SECRET", "PayPal secret by name", r"paypal[a-z0-9_\-. ]{0,20}(?:secret|password)", URLSAFE + "{40,88}"),
    near("PAYPAL_SECRET", "PayPal secret", "E" + URLSAFE + "{79}", ("paypal", "paypalsecret", "paypalclientsecret"), accept=random_looking),
    prefixed(
        "PLAID_SECRET", "Plaid access token", "(?:access|public|processor)-(?:sandbox|development|production)-", UUID, 1, 1, alone=False
    ),
    assigned("PLAID_SECRET", "Plaid secret by name", r"plaid[a-z0-9_\-. ]{0,20}(?:secret|key|token)", HEX + "{30}"),
    near("PLAID_SECRET", "Plaid secret", HEX + "{30}", ("plaid", "plaidsecret", "plaidkey"), accept=has_digit),
    prefixed("RAZORPAY_KEY", "Razorpay key", "rzp_(?:live|test)_", WORD, 14, 20),
    prefixed("FLUTTERWAVE_KEY", "Flutterwave key", "FLWSECK(?:_TEST)?-", "[A-Za-z0-9\\-]", 12, 60),
    prefixed("EASYPOST_KEY", "EasyPost key", "EZ[AT]K", WORD, 54, 60),
    prefixed("SHIPPO_TOKEN", "Shippo token", "shippo_(?:live|test)_", HEX, 40, 40),
    prefixed("LOB_KEY", "Lob key", "(?:live|test)_(?:pub_)?", HEX, 31, 35, accept=has_digit),
    prefixed("DUFFEL_TOKEN", "Duffel token", "duffel_(?:test|live)_", URLSAFE, 40, 60),
    prefixed("ADYEN_KEY", "Adyen key", "AQE[a-z]hm", "[A-Za-z0-9+/=\\-]", 60, 200),
    SecretRule(
        name="Coinbase key",
        entity="COINBASE_KEY",
        shape="organizations/" + UUID + "/apiKeys/",
        expression=ALONE + "organizations/" + UUID + "/apiKeys/" + UUID,
    ),
    shaped("MOLLIE_KEY", "Mollie key", "(?:live|test)_[A-Za-z0-9]{30}", accept=mixed),
)
