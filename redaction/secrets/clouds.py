"""Credentials of clouds."""

from typing import Final

from redaction.secrets.checks import both_cases, has_digit, mixed, random_looking
from redaction.secrets.rule import (
    ALONE,
    BASE64,
    GLUED,
    HEX,
    TO,
    TO_SHAPE,
    URLSAFE,
    WORD,
    SecretRule,
    assigned,
    called,
    near,
    prefixed,
    shaped,
    words_of,
)

_AWS_ID: Final = "(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"
"""Long-term, temporary, bearer and context-specific keys; AIDA, AROA, AGPA and the like are names of users, roles and groups."""

_KEY_OF_40: Final = "[A-Za-z0-9/+]{40}"
_KEY_OF_40_NAMES: Final = r"aws[_\-. ]?secret[a-z0-9_\-. ]{0,12}|secret[_\-.]?access[_\-.]?key|aws[_\-. ]?secret"
_SESSION_NAMES: Final = r"aws[_\-.]?(?:session|security)[_\-.]?token|session[_\-.]?token|x-amz-security-token"
_SESSION_BEGINS: Final = "(?:FwoGZXIvYXdz|FQoGZXIvYXdz|FQoDYXdz|AQoDYXdz|IQoJb3JpZ2lu)"

AWS: Final = (
    SecretRule(
        name="AWS access key id", entity="AWS_ACCESS_KEY_ID", shape=_AWS_ID, expression=ALONE + _AWS_ID + "(?![A-Za-z0-9])", score=0.95
    ),
    SecretRule(
        name="AWS access key id, glued",
        entity="AWS_ACCESS_KEY_ID",
        shape=_AWS_ID,
        expression=GLUED + _AWS_ID + "(?![A-Z0-9])",
        accept=has_digit,
    ),
    SecretRule(
        name="AWS secret beside its access key id",
        entity="AWS_SECRET_ACCESS_KEY",
        shape="(?:AKIA|ASIA)[A-Z0-9]{16}",
        expression=r"(?<=(?:AKIA|ASIA)[A-Z0-9]{16}[^A-Za-z0-9]{1,8})[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
        accept=random_looking,
    ),
    SecretRule(
        name="AWS secret by name",
        entity="AWS_SECRET_ACCESS_KEY",
        shape=f"(?i:{_KEY_OF_40_NAMES}){TO_SHAPE}",
        expression=f"(?<=(?i:{_KEY_OF_40_NAMES}){TO}){_KEY_OF_40}(?![A-Za-z0-9/+=])",
        accept=both_cases,
        score=0.95,
    ),
    SecretRule(
        name="AWS secret by context",
        entity="AWS_SECRET_ACCESS_KEY",
        shape="[A-Za-z0-9/+]{40}",
        expression=r"(?<![A-Za-z0-9/+_.\-])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_\-]|\.\w)",
        score=0.35,
        context=words_of("aws"),
        accept=random_looking,
    ),
    SecretRule(
        name="AWS session token",
        entity="AWS_SESSION_TOKEN",
        shape=_SESSION_BEGINS + "[A-Za-z0-9/+%]{12}",
        expression=ALONE + _SESSION_BEGINS + "[A-Za-z0-9/+%]{40,}+={0,2}",
        score=0.95,
        long=True,
    ),
    SecretRule(
        name="AWS session token by name",
        entity="AWS_SESSION_TOKEN",
        shape=f"(?i:{_SESSION_NAMES}){TO_SHAPE}",
        expression=f"(?<=(?i:{_SESSION_NAMES}){TO})[A-Za-z0-9/+]{{64,}}+={{0,2}}",
        score=0.95,
        long=True,
    ),
    prefixed("AWS_BEDROCK_API_KEY", "Bedrock key", "(?:ABSK|bedrock-api-key-)", BASE64, 60, 480),
)

_STORAGE_NAMES: Final = r"(?:account[_\-. ]?|(?:azure|storage|cosmos)[a-z0-9_\-. ]{0,16}|primary[_\-. ]?)key[12]?"
_SAS: Final = r"(?:s[evptrsi]|spr|srt|sip|sks|skv|skt|ske|skoid|sktid|se|sdd|sv)=[\w%:.,\-]{1,64}"

AZURE: Final = (
    SecretRule(
        name="Azure storage key",
        entity="AZURE_STORAGE_KEY",
        shape=BASE64 + r"{76}(?:\+ASt|\+ABa|\+AMC|ACDb|ARm|AzFu)" + BASE64 + "{6,7}==",
        expression=f"(?<!{BASE64})" + BASE64 + r"{76}(?:\+ASt|\+ABa|\+AMC|ACDb|ARm[A-Za-z0-9]|AzFu)" + BASE64 + "{6}==",
        score=0.95,
    ),
    SecretRule(
        name="Azure storage key by name",
        entity="AZURE_STORAGE_KEY",
        shape=f"(?i:{_STORAGE_NAMES}){TO_SHAPE}",
        expression=f"(?<=(?i:{_STORAGE_NAMES}){TO}){BASE64}{{80,88}}={{0,2}}(?![A-Za-z0-9+/=])",
        score=0.95,
    ),
    near(
        "AZURE_STORAGE_KEY",
        "Azure storage key by context",
        BASE64 + "{86}==",
        ("azure", "storage", "account", "accountkey", "cosmos", "blob"),
    ),
    SecretRule(
        name="Azure shared access key",
        entity="AZURE_SHARED_ACCESS_KEY",
        shape="(?i:SharedAccessKey)" + TO_SHAPE,
        expression=f"(?<=(?i:SharedAccessKey){TO}){BASE64}{{30,88}}={{0,2}}",
        score=0.95,
    ),
    SecretRule(
        name="Azure shared access signature",
        entity="AZURE_SAS_TOKEN",
        shape="sig=" + r"[A-Za-z0-9%+/_\-]{20}",
        expression=rf"(?<=[?&](?:{_SAS}&(?:amp;)?){{2,14}}sig=)[A-Za-z0-9%+/_\-]{{20,128}}+={{0,2}}"
        rf"|(?<![?&\w])(?:{_SAS}&(?:amp;)?){{2,14}}sig=[A-Za-z0-9%+/_\-]{{20,128}}+={{0,2}}(?:&(?:amp;)?{_SAS}){{0,14}}"
        rf"|(?<=[?&])sig=[A-Za-z0-9%+/_\-]{{20,128}}+={{0,2}}(?=(?:&(?:amp;)?{_SAS}){{2,14}})",
        score=0.96,
    ),
    SecretRule(
        name="Azure client secret",
        entity="AZURE_CLIENT_SECRET",
        shape=r"[A-Za-z0-9_~.\-]{3}[0-9]Q~[A-Za-z0-9_~.\-]{20}",
        expression=r"(?<![A-Za-z0-9_~.\-])[A-Za-z0-9_~.\-]{3}[0-9]Q~[A-Za-z0-9_~.\-]{30,36}(?<![.\-])",
        score=0.95,
    ),
    assigned(
        "AZURE_CLIENT_SECRET",
        "Azure client secret by name",
        r"(?:azure|aad|entra|arm)[a-z0-9_\-. ]{0,12}(?:client|app)[a-z0-9_\-. ]{0,5}(?:secret|password)",
        r"[A-Za-z0-9_~.\-+/=]{30,44}",
    ),
    shaped("AZURE_API_KEY", "Azure key of a resource", "[A-Za-z0-9]{52}JQQJ9[9DH][A-Za-z0-9][A-L][A-Za-z0-9]{16,30}(?:==)?"),
    assigned(
        "AZURE_API_KEY",
        "Azure key by name",
        r"azure[a-z0-9_\-. ]{0,24}(?:api|subscription|search|speech|maps)?[_\-. ]?key|ocp-apim-subscription-key",
        HEX + "{32}",
    ),
    called("AZURE_API_KEY", "Azure key by context", HEX + "{32}", "azure", "azure openai"),
    shaped("AZURE_DEVOPS_TOKEN", "Azure DevOps token", "[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}"),
)

GOOGLE: Final = (
    prefixed("GCP_API_KEY", "Google API key", "AIza", URLSAFE, 30, 40),
    SecretRule(
        name="Google API key, glued",
        entity="GCP_API_KEY",
        shape="AIza" + URLSAFE + "{12}",
        expression=GLUED + "AIza" + URLSAFE + "{35}(?![A-Za-z0-9_-])",
        accept=random_looking,
    ),
    prefixed("GCP_API_KEY", "Google API key bound to an account", r"AQ\.Ab", URLSAFE, 30),
    SecretRule(
        name="Google service account",
        entity="GCP_SERVICE_ACCOUNT",
        shape=r"""["']type["'][ \t]{0,3}:\s{0,3}["']service_account["']""",
        expression=r"""\{[^{}]{0,500}?["']type["'][ \t]{0,3}:\s{0,3}["']service_account["'][^{}]{0,9000}+\}?+""",
        score=1.0,
        long=True,
    ),
    assigned("GCP_SERVICE_ACCOUNT", "Google service account's key id", r"private[_\-]?key[_\-]?id", HEX + "{40}"),
    SecretRule(
        name="Google OAuth token",
        entity="GCP_OAUTH_TOKEN",
        shape=r"ya29\.[A-Za-z0-9_.\-]{12}",
        expression=ALONE + r"ya29\.[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]+)*+(?<=[A-Za-z0-9_.\-]{21})",
        score=0.95,
        long=True,
    ),
    prefixed("GCP_OAUTH_TOKEN", "Google refresh token", "1//0[A-Za-z0-9]?", URLSAFE, 36),
    prefixed("GCP_OAUTH_SECRET", "Google OAuth client secret", "GOCSPX-", URLSAFE, 20, 60, alone=False),
)

_MACAROON: Final = r"fm[12][ra]?_[A-Za-z0-9+/=_\-]{40,}+"

OTHERS: Final = (
    prefixed("DIGITALOCEAN_TOKEN", "DigitalOcean token", "do[opr]_v1_", "[0-9A-Za-z]", 32, 80, alone=False),
    assigned("DIGITALOCEAN_TOKEN", "DigitalOcean token by name", r"(?:digitalocean|do)[a-z0-9_\-. ]{0,16}token", HEX + "{64}"),
    called("DIGITALOCEAN_TOKEN", "DigitalOcean token by context", HEX + "{64}", "digitalocean", "digital ocean"),
    prefixed("ALIBABA_KEY", "Alibaba access key id", "LTAI", WORD, 12, 26, accept=has_digit),
    SecretRule(
        name="Alibaba secret beside its access key id",
        entity="ALIBABA_KEY",
        shape="LTAI" + WORD + "{12}",
        expression=rf"(?<=LTAI{WORD}{{12,26}}[^A-Za-z0-9]{{1,8}}(?:[A-Za-z_\- ]{{2,40}}[^A-Za-z0-9]{{1,6}})?){WORD}{{30}}(?!{WORD})",
        accept=mixed,
    ),
    near("ALIBABA_KEY", "Alibaba secret", WORD + "{30}", words_of("alibaba", "aliyun", "alicloud", "oss"), accept=random_looking),
    prefixed("TENCENT_KEY", "Tencent secret id", "AKID", WORD, 28, 60, accept=mixed),
    SecretRule(
        name="Tencent secret beside its id",
        entity="TENCENT_KEY",
        shape="AKID" + WORD + "{12}",
        expression=rf"(?<=AKID{WORD}{{28,60}}[^A-Za-z0-9]{{1,8}}(?:[A-Za-z_\- ]{{2,40}}[^A-Za-z0-9]{{1,6}})?){WORD}{{32}}(?!{WORD})",
        accept=mixed,
    ),
    near("TENCENT_KEY", "Tencent secret", WORD + "{32}", words_of("tencent", "tencentcloud", "qcloud"), accept=random_looking),
    prefixed("HEROKU_KEY", "Heroku key", "HRKU-", URLSAFE, 30, 80, alone=False),
    assigned(
        "HEROKU_KEY",
        "Heroku key by name",
        r"heroku[a-z0-9_\-. ]{0,16}(?:key|token|secret|password)",
        f"{HEX}{{8}}-(?:{HEX}{{4}}-){{3}}{HEX}{{12}}",
    ),
    near(
        "HEROKU_KEY",
        "Heroku key by context",
        f"{HEX}{{8}}-(?:{HEX}{{4}}-){{3}}{HEX}{{12}}",
        ("heroku api", "herokuapikey", "heroku token", "heroku key"),
    ),
    prefixed("FLY_TOKEN", "Fly.io personal token", "fo1_", URLSAFE, 36, 60),
    SecretRule(
        name="Fly.io macaroon",
        entity="FLY_TOKEN",
        shape=r"fm[12][ra]?_[A-Za-z0-9+/=_\-]{12}",
        expression=rf"(?:{ALONE}FlyV1 )?{ALONE}{_MACAROON}(?:,{_MACAROON})*+",
        score=0.95,
        long=True,
    ),
    prefixed("VERCEL_TOKEN", "Vercel token", "vc[pkiar]_", URLSAFE, 20, 80),
    prefixed("VERCEL_TOKEN", "Vercel storage token", "vercel_blob_rw_", "[A-Za-z0-9_]", 24, 80),
    near("VERCEL_TOKEN", "Vercel token by context", WORD + "{24}", words_of("vercel"), accept=random_looking),
    assigned("VERCEL_TOKEN", "Vercel token by name", r"vercel[a-z0-9_\-. ]{0,16}token", WORD + "{24}", accept=both_cases),
    prefixed("NETLIFY_TOKEN", "Netlify token", "nf[pcoub]_", URLSAFE, 30, 60),
    near("NETLIFY_TOKEN", "Netlify token by context", URLSAFE + "{40,46}", words_of("netlify"), accept=random_looking),
    prefixed("SUPABASE_KEY", "Supabase access token", "sbp_(?:v[0-9]_)?", HEX, 32, 64),
    prefixed("SUPABASE_KEY", "Supabase secret key", "sb_secret_", URLSAFE, 16, 64, alone=False),
    prefixed("CLOUDFLARE_TOKEN", "Cloudflare token", "cf(?:k|ut|at)_", URLSAFE, 36, 64),
    shaped("CLOUDFLARE_TOKEN", "Cloudflare origin key", f"v1\\.0-{HEX}{{24}}-{HEX}{{100,160}}"),
    near(
        "CLOUDFLARE_TOKEN",
        "Cloudflare token by context",
        URLSAFE + "{40}",
        (*words_of("cloudflare"), "cf api", "cf token", "cfapitoken", "cftoken"),
        accept=random_looking,
    ),
    near("CLOUDFLARE_TOKEN", "Cloudflare key by context", HEX + "{37}", (*words_of("cloudflare"), "cf api", "cf key", "cfapikey", "cfkey")),
    assigned("CLOUDFLARE_TOKEN", "Cloudflare key by name", r"(?:cloudflare|cf)[a-z0-9_\-. ]{0,16}key|x-auth-key", HEX + "{37}"),
    assigned("CLOUDFLARE_TOKEN", "Cloudflare token by name", r"(?:cloudflare|\bcf)[a-z0-9_\-. ]{0,16}token", URLSAFE + "{40}"),
    prefixed("SCALEWAY_KEY", "Scaleway access key", "SCW", "[A-Z0-9]", 17, 17, accept=has_digit),
    prefixed("RENDER_KEY", "Render key", "rnd_", WORD, 20, 60),
    shaped(
        "YANDEX_KEY",
        "Yandex Cloud key",
        r"(?:AQVN[A-Za-z0-9_\-]{35,38}|YC[A-Za-z0-9_\-]{38})",
        after=r"(?![A-Za-z0-9_\-])",
        accept=random_looking,
    ),
)

RULES: Final = (*AWS, *AZURE, *GOOGLE, *OTHERS)
