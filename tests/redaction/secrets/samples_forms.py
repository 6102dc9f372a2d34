"""Examples of the rules that no vendor owns: keys, protocols of the web, secrets by the name that they stand under."""

import base64

from tests.redaction.secrets.samples import Examples

LINE = "‹b64›"
PEM = "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *[LINE] * 6, "‹b20›=", "-----END RSA PRIVATE KEY-----"])
PUBLIC = PEM.replace("RSA PRIVATE", "PUBLIC")
BASIC = base64.b64encode(b"deploy:s3cr3t-pa55").decode()

KEYS = {
    "PEM private key": Examples(
        [f"a\n«{PEM}»\nb", "x «" + PEM.replace("RSA ", "").replace("\n", "\\n") + "» y", "«" + PEM.replace("RSA", "OPENSSH") + "»"],
        [PUBLIC],
    ),
    "PuTTY private key": Examples(
        ["PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n«Private-Lines: 2\n‹b64›\n‹b20›=\nPrivate-MAC: ‹h64›»\n"],
        ["Public-Lines: 2\n‹b64›\n‹b20›=\n", "Private-Lines: none"],
    ),
    "SSH2 private key": Examples(
        ["«---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: x\n‹b64›\n‹b20›=\n---- END SSH2 ENCRYPTED PRIVATE KEY ----»"],
        ["---- BEGIN SSH2 PUBLIC KEY ----\n‹b64›\n---- END SSH2 PUBLIC KEY ----"],
    ),
}

WEB = {
    "JSON web token": Examples(
        ["jwt=«eyJhbGciOiJIUzI1NiJ9.eyJ‹s60›.‹s43›»", "«eyJhbGciOiJub25lIn0.eyJ‹s40›.»", "cut «eyJhbGciOiJub25lIn0.eyJ‹s40›»"],
        ["eyJhbGciOiJIUzI1NiJ9 alone", "eyJhbGciOi.x.y"],
    ),
    "Encrypted JSON web token": Examples(["«eyJhbGciOiJkaXIi.‹s20›.‹s16›.‹s120›.‹s22›»"], ["eyJhbGciOiJkaXIi.short"]),
    "Bearer token": Examples(
        ["Authorization: Bearer «4f9a8b7c6d5e4f3a2b1c0d9e»", "use bearer «‹w32›»"],
        ["the bearer of this letter is welcome", "bearer instruments and certificates"],
    ),
    "Authorization header": Examples(
        [
            "Authorization: Bearer «shorttok9»",
            "'authorization': 'Token «‹h40›»'",
            "Proxy-Authorization: Bearer «abc-def-ghi»",
            'curl -H "Authorization: ApiKey «‹w20›»"',
        ],
        [
            "Authorization: Bearer <token>",
            "Authorization: Bearer $TOKEN",
            "Authorization: Bearer ${TOKEN}",
            "authorization of the bearer failed",
        ],
    ),
    "Authorization header without a scheme": Examples(
        ["Authorization: «‹w32›»", '"Authorization": "«‹h40›»"'], ["Authorization: required", "authorization: AuthorizationPolicyName"]
    ),
    "Signature of a request": Examples(
        [
            "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=«‹h64›»",
            'Digest username="a", realm="b", response="«‹h32›»"',
        ],
        ["Signature: short", "the response=200"],
    ),
    "Basic authentication": Examples(
        [f"Authorization: Basic «{BASIC}»", f"basic «{BASIC}»"], ["basic understanding of things", "Basic authentication is off"]
    ),
    "Basic authentication header": Examples(
        [f"authorization: basic «{BASIC}»"], ["Authorization: Basic <credentials>", "Authorization: Basic realm"]
    ),
    "Basic authentication stored": Examples(
        [f'{{"auths": {{"x": {{"auth": "«{BASIC}»"}}}}}}', f"_auth=«{BASIC}»"], ['{"auth": "required by the server"}']
    ),
    "User and password of a command": Examples(
        ["curl -u admin:«s3cr3t9» https://x", "curl --user 'deploy:«hunter2!»' x"],
        ["curl -u admin:$PASSWORD x", "docker run -u 1000:1000 x"],
    ),
    "Password of a database URL": Examples(
        [
            "postgresql://app:«s3cr3t»@db:5432/x",
            "mongodb+srv://u:«p%40ss»@cluster0.mongodb.net/?w=majority",
            "redis://:«foobared1»@localhost:6379",
            "postgresql+asyncpg://u:«pa@ss»@db/x",
        ],
        ["postgresql://localhost:5432/x", "postgres://user:${PASSWORD}@db/x", "mysql://user:<password>@db/x"],
    ),
    "User and password of a URL": Examples(
        ["https://«jane:hunter2»@example.com/x?y=1", "ftp://«u:p4ss»@h/x", "http://«user:pa%3Ass»@proxy:3128"],
        ["https://example.com:8080/a@b", "http://user:$PASS@proxy", "https://host/path:x@y"],
    ),
    "Token of a URL": Examples(
        ["https://«‹w32›»@github.example/acme/app.git"], ["https://installation-service-account@host/", "ssh://git@github.com/x"]
    ),
    "Password in a query": Examples(
        ["https://x.example/login?user=a&password=«hunter2»&next=/"], ["https://x.example/?bypass=1&password=${P}"]
    ),
    "Secret in a query": Examples(
        [
            "https://x.example/cb?code=«4/0AX4XfWh‹s40›»&state=1",
            "https://x.example/?api_key=«‹w24›»&q=cats",
            "https://s3/x?X-Amz-Algorithm=A&X-Amz-Signature=«‹h64›»",
            "https://x.example/#access_token=«‹w40›»&token_type=bearer",
            "grant_type=x&client_secret=«‹w32›»&y=1",
        ],
        [
            "https://x.example/?code=200&key=name",
            "https://x.example/?next_page_token=‹w40›",
            "https://x.example/?token=${TOKEN}",
            "?key=some-page-name",
            "?ticket=CVE-2025-12345&x=1",
        ],
    ),
    "Cookie header": Examples(
        ["Cookie: «session=‹w32›; theme=dark»", "'Cookie': '«a=‹w20›»'", 'curl -H "Cookie: «sid=‹w20›; x=1»"'],
        ["the cookie: a biscuit", "cookie jar", "cookies: 3"],
    ),
    "Set-Cookie header": Examples(
        ["Set-Cookie: session=«‹w32›»; Path=/; HttpOnly", '"set-cookie": "sid=«‹h32›»; Secure"'], ["Set-Cookie: none"]
    ),
    "Cookie of a command": Examples(["curl -b '«session=‹w20›»' x"], ["curl -b cookies.txt"]),
    "Session cookie": Examples(
        ["JSESSIONID=«‹h32›»", "connect.sid=«s%3A‹w32›.‹w43›»", "PHPSESSID=«‹l26›»"],
        ["sessionid=none", "session=my-session-name-2", "JSESSIONID=short", "session_id=‹U1›", "agent_session_id=‹h32›"],
    ),
}

PLACEHOLDERS = [
    "sk-...", "YOUR_API_KEY", "<token>", "${TOKEN}", "********", "process.env.TOKEN", "os.environ['X']", "None", "null", "changeme",
    "{{ token }}", "$(cat /run/token)", "your-password-here", "xxxxxxxxxxxx", "[REDACTED]", "/run/secrets/db", "config.password",
    "user_password", "true", "required", "vault:secret/data/db#password", "EXAMPLE_SECRET", "%(password)s", "placeholder",
]  # fmt: skip

GENERIC = {
    "quoted password": Examples(
        [
            '"password": "«hunter2»"',
            "{'password': '«correct horse battery»'}",
            'DB_PASSWORD="«x9$kQ!z»"',
            "passwd := `«Passw0rd»`",
            '\\"pwd\\": \\"«Summer2024»\\"',
            'os.environ["DB_PASSWORD"] = "«swordfish»"',
        ],
        ['"password": "' + value.replace('"', "") + '"' for value in PLACEHOLDERS]
        + ['"password": "must be at least eight characters"', 'tests: "passed", x: "yes"'],
    ),
    "password": Examples(
        [
            "password: «hunter2»",
            "DB_PASSWORD=«p4ss!word»",
            "Server=db;User Id=sa;Password=«S3cret!»;Encrypt=true",
            "admin_pwd=«Qw3rty»",
            "| DB_PASSWORD | «Winter5779#Falcon» |",
            "password: str = «hunt3r2»",
            "pass: «hunter2»",
        ],
        [f"password: {value}" for value in PLACEHOLDERS]
        + ["password: string", "password = get_password()", "password=self.password1", "password_hash=abc123def", "compass: north1"]
        + ["pass: 31815 fail: 8464", "password: !vault |", "api_key: $API_KEY\\nx: 1"],
    ),
    "quoted key": Examples(
        [
            '"api_key": "«‹w24›»"',
            "client_secret='«‹s32›»'",
            'const accessToken = "«‹h40›»"',
            "X_API_TOKEN: '«‹U1›»'",
            '("SECRET_KEY", "«‹w50›»")',
            'variable "api_token" {\n  type = string\n  default = "«‹w32›»"\n}',
            'apiKey: string = "«‹w32›»"',
        ],
        [f'"api_key": "{value}"' for value in PLACEHOLDERS]
        + [
            '"token": "Hello"',
            '"next_page_token": "‹w30›"',
            '"max_tokens": "12345678"',
            '"key": "‹w30›"',
            '"token_type": "bearer12345"',
            '"secret": "my-app-secret"',
        ],
    ),
    "key": Examples(
        [
            "api_key=«‹w24›»",
            "x-api-key: «‹w32›»",
            "secret_key: «‹h32›»",
            "- name: APP_TOKEN\n  value: «‹w30›»",
            "client_secret=«‹w20›»&x=1",
        ],
        [f"api_key={value}" for value in PLACEHOLDERS]
        + ["token: 12345678", "primary_key=id_number_1", "token=access_token_2", "secret: kubernetes-secret-v2", "tokens=1234567890a"],
    ),
    "variable of the environment": Examples(
        ["export APP_SECRET=«ab(c)&d<9»", "POSTGRES_PASSWORD=«h&n=ter2|x»"],
        ["APP_SECRET=$OTHER", "TOKEN_COUNT=1234567", "export SECRET=changeme"],
    ),
    "variable of an image": Examples(
        ["ENV APP_PASSWORD «Maple6640.Maple»\nRUN make", "ARG API_TOKEN «‹w30›»"], ["ENV APP_PASSWORD $PASSWORD", "ENV TOKEN_COUNT 8"]
    ),
    "option of a command": Examples(
        ["app --password «hunter2x»", "x --api-key «‹w24›» -v", "mysql --db-password '«pa55word!»'"],
        ["app --token <token>", "app --password $PASS", "app --token-file /run/x"],
    ),
    "password that is told": Examples(
        [
            "the password is «hunter2»",
            "My password for the VPN is «Tr0ub4dor&3», thanks",
            "passcode: «83kd92»",
            "password was changed to «N3w!pass»",
        ],
        [
            "the password is required",
            "token is undefined\\nmain.create_ticket2",
            "the password is incorrect",
            "a token is 128000 wide",
            "the token is of type user_token_2",
            "password is stored",
        ],
    ),
    "password in quotes": Examples(
        ["use the password `«hunter2»`", 'db password "«xK9#mP2v»" works'], ["the password 'field'", "password `user_password`"]
    ),
    "key in quotes": Examples(
        ["the API key `«‹h32›»` works", "client secret '«‹U1›»'"], ["the cache key `‹h32›`", "secret `kubernetes-secret-name-1`"]
    ),
    "text of an element": Examples(
        ["<password>«hunter22»</password>", "<ApiKey>«‹w24›»</ApiKey>"], ["<password>string</password>", "<key>name</key>"]
    ),
    "private part of a JSON web key": Examples(['{"kty":"EC","d":"«‹s43›»","crv":"P-256"}'], ['{"d": "short"}']),
    "random value behind a word": Examples(
        ["use this token «‹w40›» please", 'the key "«‹w32›=»"'],
        [
            "token chatcmpl-‹w29›",
            "token ‹h40›",
            "token ‹U1›",
            "password resetEverythingForTheUser",
            "token ‹w40›.suffix",
            "monkey my-wife-and-I-are-here",
        ],
    ),
    "random value near a word": Examples(
        ["my secret for you: «‹w36›»", "credentials of the thing «‹w32›»"],
        ["the secret run_‹w24›", "secret ‹h40›", "secret ‹U1›", "credential in s3://bucket/‹w30›.json", "token ‹w40›"],
    ),
    "random value under a key": Examples(["«‹w30›»", "«‹w8›.‹s30›»"], ["run_‹w24›", "‹h32›", "auth ‹w40›"], ("slack", "auth")),
}

EXAMPLES = {**KEYS, **WEB, **GENERIC}
