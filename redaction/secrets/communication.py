"""Credentials of what sends messages and of where people work together."""

from typing import Final

from redaction.secrets.checks import has_digit, key_like, mixed, random_looking, snowflake_first
from redaction.secrets.rule import ALONE, BASE64, HEX, URLSAFE, UUID, WORD, SecretRule, assigned, near, prefixed, shaped, words_of

CHAT: Final = (
    SecretRule(
        name="Slack token",
        entity="SLACK_TOKEN",
        shape=r"(?:xox[a-z]|xapp|xwfp)-[A-Za-z0-9%/+=.\-]{8}",
        expression=r"(?:xoxe\.)?(?:xox[a-z]|xapp|xwfp)-[A-Za-z0-9%/+=.\-]{12,400}(?<![.\-])",
        accept=has_digit,
        score=0.95,
    ),
    SecretRule(
        name="Slack webhook",
        entity="SLACK_WEBHOOK",
        shape=r"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/",
        expression=r"(?:https?://)?hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_\-]{16,120}",
        score=0.95,
    ),
    SecretRule(
        name="Discord token",
        entity="DISCORD_TOKEN",
        shape=r"[MNO][A-Za-z0-9_\-]{22}[A-Za-z0-9_\-]{0,5}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{24}",
        expression=r"(?<![A-Za-z0-9_\-])[MNO][A-Za-z0-9_\-]{22,27}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{24,40}+",
        accept=snowflake_first,
        score=0.95,
    ),
    prefixed("DISCORD_TOKEN", "Discord token with a second factor", r"mfa\.", URLSAFE, 60, 100),
    SecretRule(
        name="Discord webhook",
        entity="DISCORD_WEBHOOK",
        shape=r"discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/",
        expression=r"(?:https?://)?(?:(?:ptb|canary)\.)?discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{15,22}/[A-Za-z0-9_\-]{30,100}",
        score=0.95,
    ),
    SecretRule(
        name="Telegram bot token",
        entity="TELEGRAM_TOKEN",
        shape="[0-9]{6,12}:[A-Za-z0-9_-]{32}",
        expression=r"(?:(?<![A-Za-z0-9:])|(?<=/bot))[0-9]{6,12}:[A-Za-z0-9_\-]{34,36}(?![A-Za-z0-9_\-])",
        accept=mixed,
        score=0.95,
    ),
    SecretRule(
        name="Teams webhook",
        entity="TEAMS_WEBHOOK",
        shape=r"webhook\.office\.com/webhookb2/",
        expression=r"(?:https?://)?[a-z0-9\-]{1,64}\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/\-]{40,220}",
        score=0.95,
    ),
)

MAIL: Final = (
    SecretRule(
        name="SendGrid key",
        entity="SENDGRID_KEY",
        shape=r"SG\.[A-Za-z0-9_\-]{16}",
        expression=ALONE + r"SG\.[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{32,64}+",
        score=0.95,
    ),
    shaped("TWILIO_KEY", "Twilio key", "SK" + HEX + "{32}"),
    assigned("TWILIO_KEY", "Twilio secret", r"twilio[a-z0-9_\-. ]{0,20}(?:token|secret|password)|twilio[_\-.]?auth", WORD + "{32}"),
    SecretRule(
        name="Twilio secret beside its account",
        entity="TWILIO_KEY",
        shape=f"AC{HEX}{{32}}",
        expression=rf"(?<=AC{HEX}{{32}}[^A-Za-z0-9]{{1,8}}(?:auth[_\-]?token[^A-Za-z0-9]{{1,6}})?){HEX}{{32}}(?!{WORD})",
        score=0.95,
    ),
    near("TWILIO_KEY", "Twilio secret by context", HEX + "{32}", ("twilio auth", "twilioauthtoken", "twilio token", "twilio secret")),
    prefixed("MAILGUN_KEY", "Mailgun key of old", "key-", "[0-9a-z]", 32, 32, accept=has_digit),
    shaped("MAILGUN_KEY", "Mailgun key", f"{HEX}{{32}}-{HEX}{{8}}-{HEX}{{8}}", after=r"(?![A-Za-z0-9\-])"),
    shaped("MAILCHIMP_KEY", "Mailchimp key", HEX + "{32}-us[0-9]{1,2}"),
    assigned("MAILCHIMP_KEY", "Mandrill key", r"mandrill[a-z0-9_\-. ]{0,12}key", URLSAFE + "{22}"),
    prefixed("MAILCHIMP_KEY", "Mailchimp transactional key", "md-", URLSAFE, 22, 22, accept=random_looking),
    shaped("RESEND_KEY", "Resend key", "re_[A-Za-z0-9]{6,12}_[A-Za-z0-9]{20,32}", accept=random_looking),
    prefixed("BREVO_KEY", "Brevo key", "xkeysib-", "[0-9a-zA-Z\\-]", 60, 100),
    assigned("POSTMARK_TOKEN", "Postmark token", r"postmark[a-z0-9_\-. ]{0,16}token|x-postmark-(?:server|account)-token", UUID),
)

WORKPLACES: Final = (
    prefixed("LINEAR_API_KEY", "Linear key", "lin_(?:api|oauth|wh)_", WORD, 32, 80, alone=False),
    prefixed("NOTION_TOKEN", "Notion token", "ntn_", WORD, 36, 60, accept=has_digit),
    prefixed("NOTION_TOKEN", "Notion token of old", "secret_", WORD, 40, 50, accept=key_like),
    prefixed("FIGMA_TOKEN", "Figma token", "fig[douh]_", URLSAFE, 32, 60, alone=False),
    shaped("AIRTABLE_TOKEN", "Airtable token", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    near("AIRTABLE_TOKEN", "Airtable key of old", "key[A-Za-z0-9]{14}", words_of("airtable"), accept=mixed),
    shaped("ASANA_TOKEN", "Asana token", "[0-9]/[0-9]{10,20}(?:/[0-9]{10,20})?:[0-9a-f]{32}", score=1.0),
    assigned("ASANA_TOKEN", "Asana secret", r"asana[a-z0-9_\-. ]{0,16}(?:secret|token|key)", "[0-9a-zA-Z/:]{32,80}"),
    prefixed("HUBSPOT_TOKEN", "HubSpot token", "pat-(?:na|eu|ap)[0-9]-", "[0-9a-fA-F\\-]", 32, 40, alone=False),
    prefixed("TYPEFORM_TOKEN", "Typeform token", "tfp_", "[A-Za-z0-9_.=\\-]", 40, 80),
    prefixed("CONTENTFUL_TOKEN", "Contentful token", "CFPAT-", URLSAFE, 40, 50),
    prefixed("INTERCOM_TOKEN", "Intercom token", "dG9rOg?", BASE64, 40, 80, accept=random_looking),
    prefixed("SALESFORCE_TOKEN", "Salesforce session", "00D[A-Za-z0-9]{12,15}!", "[A-Za-z0-9_.]", 60, 120),
    prefixed("FACEBOOK_TOKEN", "Facebook token", "EAA[A-Z0-9]", WORD, 90, 400),
    prefixed("TWITTER_TOKEN", "X bearer token", "A{16,24}", "[A-Za-z0-9%]", 60, 120, accept=random_looking),
)

RULES: Final = (*CHAT, *MAIL, *WORKPLACES)
