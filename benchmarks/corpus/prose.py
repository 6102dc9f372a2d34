"""Negatives that are whole texts: code, configuration, logs, tables, schemas, placeholders. Each line of them counts as one token.

`<A>` stands for random capitals, `<a>` small letters, `<9>` a number, `<h>` hexadecimal, `<s>` a service, `<t>` a tool, `<p>` a path and
`<d>` a time.
"""

import re
from collections.abc import Callable
from random import Random

from benchmarks.corpus import filler
from benchmarks.corpus.letters import LOWER, UPPER, digits, hexadecimal, of

SLOT = re.compile(r"<([Aa9hstpd])>")
SLOTS: dict[str, Callable[[Random], str]] = {
    "A": lambda rng: of(rng, UPPER, 4), "a": lambda rng: of(rng, LOWER, 6), "9": lambda rng: digits(rng, rng.randint(1, 6)),
    "h": lambda rng: hexadecimal(rng, 12),
    "s": lambda rng: rng.choice(filler.SERVICES), "t": lambda rng: rng.choice(filler.TOOLS), "p": filler.path, "d": filler.stamp,
}  # fmt: skip

LINES: dict[str, tuple[str, ...]] = {
    "code-python": (
        "@app.route('/orders/<9>', methods=['GET'])", "from <a>.<a> import <t>, <a>",
        "def <t>(self, <a>: str, limit: int = <9>) -> list[dict[str, Any]]:",
        "    return await self._client.post(f\"/v1/{<a>}\", json=payload, timeout=<9>)", "@dataclass(frozen=True)",
        "@pytest.mark.parametrize('value', [<9>, <9>])", "token = next(tokens)",
        "password_field = forms.CharField(widget=PasswordInput)", "if token.type == TokenType.IDENT and token.value != <9>:",
        "secret = os.environ['<A>_SECRET']", "api_key = settings.api_key",
        "headers = {'Authorization': f'Bearer {token}'}", "assert <a>(<9>) == 0x<h>", "tokens = tokenizer.encode(text)[:<9>]",
        "matrix = a @ b", "key = lambda row: (row.<a>, row.id)",
        "def authenticate(username: str, password: str) -> bool:", "self.password = hash_password(password)",
        "max_tokens=<9>, token_count=<9>", "session = requests.Session()",
    ),
    "code-javascript": (
        "import { <t> } from '@acme/<a>';", "const <a> = await fetch(`${baseUrl}/v1/<a>/${id}`);",
        "export default class <A>Client extends EventEmitter {", "  apiKey: process.env.<A>_API_KEY,",
        "<a>.on('data', (chunk) => buffer.push(chunk));", "const token = await getToken();",
        "if (password !== confirmPassword) throw new Error('mismatch');", "type Secret = { name: string; version: number };",
        "@Injectable()", "@Component({ selector: 'app-<a>' })", "const re = /^[\\w.+-]+@[\\w-]+\\.[\\w.]+$/;",
        "setTimeout(() => retry(<9>), <9>);", "localStorage.getItem('token')",
    ),
    "css": ("@media (max-width: <9>px) { .<a> { margin: 0 auto; } }", ".<a>-<a>:hover > a[href^='https'] { color: #<h>; }",
        "@import url('https://fonts.googleapis.com/css2?family=Inter:wght@400;700');", "  transition: opacity 0.<9>s ease-in-out;",
        "@keyframes <a> { from { opacity: 0 } to { opacity: 1 } }"),
    "regex": (r"(?P<name>[A-Za-z_]\w*)=(?P<value>\S+)", r"\b\d{3}-\d{2}-\d{4}\b", r"[A-Z0-9._%+-]+@[A-Z0-9.-]+\.[A-Z]{2,}",
        r"^(sk|pk)_(test|live)_[0-9a-zA-Z]{24}$", r"AKIA[0-9A-Z]{16}", r"(?i)bearer\s+[a-z0-9._-]+", r"^\+?[1-9]\d{1,14}$",
        r"ghp_[A-Za-z0-9]{36}"),
    "latex": (r"\begin{equation} \nabla \cdot E = \frac{\rho}{\varepsilon_0} \label{eq:<a>} \end{equation}",
        r"\frac{<9>}{<9>} \pm 0.<9> \times 10^{-<9>}", r"\cite{<a>2024<a>} shows $p < 0.0<9>$ for $n = <9>$.",
        r"\includegraphics[width=0.8\textwidth]{figures/<a>.pdf}"),
    "log-lines": (
        "<d> INFO <s> request finished status=200 duration_ms=<9> bytes=<9>", "<d> DEBUG <s> cache hit key=user:<9>:profile ttl=<9>",
        "<d> ERROR <s> connection reset by peer (os error 104)",
        "[<d>] \"GET /v1/<a>/<9> HTTP/1.1\" 200 <9> \"-\" \"curl/8.5.0\"", "<d> WARN <s> token refresh took <9> ms",
        "<d> INFO <s> used prompt_tokens=<9> completion_tokens=<9> total_tokens=<9>",
        "kernel: [<9>.<9>] usb 1-1: new high-speed USB device number <9>", "<d> INFO <s> login failed: wrong password (attempt <9>)",
        "<d> INFO <s> secret rotated, version <9>", "<d> INFO <s> auth ok method=token scope=read",
    ),
    "tool-schema": (
        '{"type": "function", "function": {"name": "<t>", "description": "Weather of a city", "parameters": {"type": "object"}}}',
        '{"name": "<t>", "description": "<a> <a>", "input_schema": {"type": "object", "properties": {"email": {"format": "email"}}}}',
        '{"name": "<t>", "parameters": {"properties": {"password": {"type": "string"}, "api_key": {"description": "API key"}}}}',
        '{"name": "weather_agent", "instructions": "be brief", "model": "gpt-4o-mini", "max_tokens": <9>}',
        '{"first_name": {"type": "string", "maxLength": <9>}, "ssn": {"type": "string", "pattern": "^[0-9-]+$"}}',
    ),
    "statistics": ("<a>\t<9>\t0.<9>\t<9>.<9>\t-0.<9>", "| <a> | <9> | <9>.<9> % | 0.<9> |", "mean <9>.<9>  std 0.<9>  min <9>  max <9>",
        "<9>,<9>,<9>.<9>,<a>,<9>", "coef 0.<9> [0.<9>, 0.<9>] p=0.0<9>"),
    "shell-prompt": (
        "deploy@<s>:~/app$ git log --oneline -<9>", "root@<h>:/# ls -la <p>", "$ git clone git@github.com:acme/<a>.git",
        "$ ssh -p <9> agent@<s> uptime", "$ pip install '<a>==1.<9>.0'", "-rw-r--r-- 1 app app <9> Jan 12 09:41 <a>.csv",
        "$ kubectl get pods -n <a>", "PS C:\\Users\\agent> Get-ChildItem", "$ npm run build -- --mode=production", "$ gh auth status",
        "$ docker pull registry/<a>:1.<9>", "$ aws s3 ls s3://<a>-<9>/exports/",
    ),
    "placeholder": (
        "OPENAI_API_KEY=sk-...", "api_key: YOUR_API_KEY", "Authorization: Bearer <token>", "export TOKEN=${TOKEN}", "password: ********",
        "const key = process.env.SECRET;", "GITHUB_TOKEN=<your-token-here>", "api_key = \"xxxxxxxxxxxxxxxx\"",
        "secret: {{ .Values.secret }}", "\"password\": null", "token: \"\"", "--token $GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY=[REDACTED]",
        "STRIPE_KEY=sk_live_...", "password = getpass.getpass()",
        "env: { API_KEY: ${{ secrets.API_KEY }} }", "mysql://USER:PASSWORD@HOST:3306/db",  # pragma: allowlist secret
        "postgres://${DB_USER}:${DB_PASS}@db/app",  # pragma: allowlist secret
        "SECRET_KEY=<SECRET>", "x-api-key: $API_KEY", "token=%TOKEN%", "PASSWORD=***", "api_key=os.getenv('<A>_KEY')",
        "client_secret: \"your-client-secret\"", "Bearer ${ACCESS_TOKEN}", "password: !vault |", "ssn: XXX-XX-XXXX",
        "card: **** **** **** 4242", "phone: (xxx) xxx-xxxx", "secretKeyRef: { name: <a>, key: <a> }",
    ),
    "keyword-no-secret": (
        '{"max_tokens": <9>, "prompt_tokens": <9>, "token_type": "bearer"}', "idempotency_key=<h>-<9>", "partition_key: user_id",
        "primary key (order_id)", "cache_key=<a>:<9>:<a>", "sort_key: created_at", "tokens: <9>", "key: value",
        "The password must have at least <9> characters.", "Your token expires in <9> minutes.", "password_min_length = <9>",
        "token_limit=<9>", "secret_name: <s>-credentials", "api_key_id: <9>", "auth: enabled", "password reset requested",
        "finish_reason=length completion_tokens=<9>", "public_key_path=<p>", "keyboard: qwerty", "monkey = <9>", "secretary: yes",
        "authorization_endpoint: /oauth/authorize", "passwordless=true", "tokenizer: cl100k_base", "pass: <9> fail: <9>",
    ),
    "manifest": ("apiVersion: apps/v1", "  image: registry.northwind.io/<s>:1.<9>.<9>", "  replicas: <9>", "    - containerPort: <9>",
        "  labels: { app: <s>, tier: backend }", "  schedule: '*/<9> * * * *'", "    memory: <9>Mi", "  serviceAccountName: <s>",
        "    secretName: <s>-tls"),
    "sql": ("SELECT id, email, phone FROM customers WHERE created_at > '2025-01-0<9>' LIMIT <9>;",
        "CREATE TABLE <a> (id bigint PRIMARY KEY, password_hash text NOT NULL);", "UPDATE orders SET status = 'paid' WHERE id = <9>;",
        "EXPLAIN ANALYZE SELECT count(*) FROM <a>; -- <9>.<9> ms", "GRANT SELECT ON <a> TO readonly;"),
    "prose": (
        *filler.SENTENCES,
        "Section 3.2.<9> describes the retry policy.", "Between 2019 and 2024 sales grew by <9> %.",
        "Dear customer, your order #<9> has shipped.", "The train leaves at 08:15 from platform <9>.",
        "See page <9>, table <9>, ISO 27001:2022.",
        "Dear team, the release is on 12 March.", "My name for this pattern is the open ledger.", "Flight LH<9> departs from gate B<9>.",
        "Chapter <9> is about credit cards and passports in general.", "The US has social security; the UK has the NHS.",
    ),
    "stack-trace": ('  File "<p>", line <9>, in <t>', "    at com.acme.<a>.Client.<t>(Client.java:<9>)",
        "    at async <t> (file://<p>:<9>:<9>)", "goroutine <9> [running]:", "KeyError: 'access_token'",
        "ValueError: password must not be empty", "main.<t>(0xc000<h>, 0x<9>)", "TypeError: token is undefined"),
    "user-agent": (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.<9> Safari/605.1.15",
        "python-httpx/0.28.<9>", "curl/8.<9>.0", "openai-python/1.<9>.0 CPython/3.12", "Amazon CloudFront", "kube-probe/1.<9>",
    ),
}  # fmt: skip


def text_of(rng: Random, what: str) -> tuple[str, int]:
    """Return a text of this kind and its number of lines."""
    lines = [SLOT.sub(lambda found: SLOTS[found[1]](rng), line) for line in rng.choices(LINES[what], k=rng.randint(8, 20))]
    return "\n".join(lines), len(lines)
