"""Passwords as arguments of well-known commands: without a shape of their own, known by the command and the option before them.

What stands before a password is as each tool has it (manual pages of the tools); lists of arguments (`["mysql", "-px"]`) count, too.
"""

import re
from typing import Final

from redaction.secrets.rule import SecretRule
from redaction.secrets.values import not_a_placeholder

_ENTITY: Final = "GENERIC_SECRET"

_GAP: Final = r"(?:[^\r\n|;&\\]|\\{3}n|\\(?:[^nr\r\n]|\r?\n)){0,240}"
"""Other arguments of the same command, over continued lines."""
_SEPARATE: Final = r"""(?:[ \t]{1,3}|=|["'][ \t]{0,2},[ \t]{0,2})"""
_OPTIONAL: Final = f"{_SEPARATE}?"
_OPEN: Final = r"""\\{0,3}["']?"""
_ALONE: Final = r"(?:(?<![\w\-.])|(?<=\\[nrt]))"
"""Nothing before a command, or the escaped end of a line."""
_START: Final = r"""[ \t"']"""
_QUOTED: Final = r"""(?:(?<=")[^"\r\n\\ ]{3,128}+(?=\\{0,3}")|(?<=')[^'\r\n\\ ]{3,128}+(?=\\{0,3}'))"""
_BARE: Final = r"""(?<!["'])[^\s"'`|;&<>()\\,]{4,128}+(?![`(])"""
_VALUE: Final = f"(?:{_QUOTED}|{_BARE})"

_REFERENCE: Final = re.compile(
    r"\$[A-Za-z_{(0-9@*!?].*|%[^%]*%|![A-Za-z_]\w*!|\{.*\}|-{1,2}[A-Za-z][\w\-]*=?|/[A-Za-z?]+(?::.*)?|[./~][\w.\-]*/.*|\d{1,5}"
    r"|[A-Z]+(?:_[A-Z]+)+|%s|:[a-z_]+|\?+|@\w+|/(?:dev|run|etc|tmp|var|home)\b.*|(?:env|file|fd|stdin):?.*"
)
_NO_PASSWORDS: Final = frozenset({"option", "options", "flag", "argument", "switch", "instead", "mypass", "mypassword", "yourpassword"})
_FORMAT: Final = re.compile(r"\$\{|\$\(|\{\{|\{\w*\}|%\(")


def _argument(value: str) -> bool:
    """Anything but a variable, a placeholder, an option's name, a path or a small number."""
    if _REFERENCE.fullmatch(value) or _FORMAT.search(value) or value.lower() in _NO_PASSWORDS:
        return False
    return not_a_placeholder(value)


def _rule(name: str, shape: str, before: str, after: str = "", value: str = _VALUE) -> SecretRule:
    return SecretRule(name=name, entity=_ENTITY, shape=shape, expression=f"(?<={before}{_OPEN}){value}{after}", accept=_argument, score=0.9)


def _option(name: str, commands: str, option: str, separate: str = _SEPARATE) -> SecretRule:
    """Return the rule of an option's value, anywhere behind the command."""
    shape = f"(?:{commands}){_START}"
    return _rule(name, shape, rf"{_ALONE}(?:{commands}){_START}{_GAP}(?<={_START})(?:{option}){separate}")


_LOGIN: Final = r"(?:docker|podman|nerdctl|buildah|oc|skopeo|helm[ \t]registry|az|az[ \t]acr)[ \t]login"

OPTIONS: Final = (
    _option(
        "password of mysql", r"(?:mysql|mariadb)(?:-?(?:dump|admin|import|show|check|slap|pump|sh|binlog|backup))?", "-p|--password=", ""
    ),
    _option("password of a registry", _LOGIN, "-p|--password"),
    _option("password of redis-cli", "redis-cli|valkey-cli", "-a|--pass"),
    _option("password of mongo", "mongo(?:sh|dump|restore|export|import|stat|top|files)?", "-p|--password"),
    _option("password of sqlcmd", "sqlcmd|bcp", "-P", _OPTIONAL),
    _option("password of snowsql", "snowsql", "-p|--password"),
    _option("password of a key store", "keytool|jarsigner", "-(?:src|dest|new)?(?:store|key)pass"),
    _option("password of openssl", "openssl", f"-pass(?:in|out)?{_SEPARATE}{_OPEN}pass:", ""),
    _option("password of ldapsearch", "ldap(?:search|add|modify|delete|passwd|whoami|compare|modrdn)", "-w", _OPTIONAL),
    _option(
        "password of smbclient", "smbclient|rpcclient|smbget|smbcacls|winexe", rf"(?:-U|--user){_OPTIONAL}{_OPEN}[\w.@/\\\-]{{1,64}}%", ""
    ),
    _option("password of zip", "zip|unzip", "-P", _OPTIONAL),
    _option("password of 7z", "7z[arz]?|rar|unrar", "-p|-hp", ""),
    _option("password of a remote desktop", "xfreerdp3?|wlfreerdp|sdl-freerdp", "/p:", ""),
    _option("password of wget", "wget", "--(?:http-|ftp-|proxy-)?password"),
)

_FLAGS: Final = r"(?:[ \t]{1,3}-[A-Za-z]{1,6}){0,3}"
_TO_FILE: Final = (
    r"(?:[ \t]{1,3}-[A-Zac-mo-z0-9]{1,6}){0,3}[ \t]{1,3}-[A-Zac-mo-z0-9]{0,6}b[A-Zac-mo-z0-9]{0,6}"
    rf"{_FLAGS}(?:[ \t]{{1,3}}[^\s\-]\S{{0,120}}){{2}}"
)
_TO_SCREEN: Final = (
    r"[ \t]{1,3}-[A-Za-z]{0,6}(?:n[A-Za-z]{0,6}b|b[A-Za-z]{0,6}n)[A-Za-z]{0,6}(?:[ \t]{1,3}-[A-Za-z]{1,6}){0,3}[ \t]{1,3}[^\s\-]\S{0,64}"
)
_ECHO: Final = _ALONE + r"(?:echo|printf)[ \t]{1,3}(?:-[neE]{1,3}[ \t]{1,3})?(?:[\"']%s(?:\\n)?[\"'][ \t]{1,3})?"
_PIPE: Final = r"(?:\\n)?\\{0,3}[\"']?[ \t]{0,3}\|[ \t]{0,3}"
_NET: Final = r"(?i:net(?:\.exe)?[ \t]{1,3}use)"

PLACES: Final = (
    _rule("password of sshpass", f"sshpass{_START}", rf"{_ALONE}sshpass{_START}(?:-v[ \t])?[ \t\"',]{{0,4}}-p{_OPTIONAL}"),
    _rule("password of htpasswd", r"htpasswd[ \t]", rf"\bhtpasswd(?:{_TO_FILE}|{_TO_SCREEN})[ \t]{{1,3}}"),
    _rule(
        "password of net user",
        r"(?i:net(?:\.exe)?[ \t]{1,3}user)[ \t]",
        r"\b(?i:net(?:\.exe)?[ \t]{1,3}user)[ \t]{1,3}[^\s/]{1,64}[ \t]{1,3}",
        r"(?=\\{0,3}[\"']?[ \t]{1,3}/[A-Za-z])",
    ),
    _rule("password of net use", rf"{_NET}[ \t]", rf"\b{_NET}[ \t][^\r\n]{{0,200}}[ \t]/(?i:user|u):[^\s]{{1,80}}[ \t]{{1,3}}"),
    _rule(
        "password before the user of net use",
        rf"{_NET}[ \t]",
        rf"\b{_NET}[ \t](?:[A-Za-z*]:?[ \t]{{1,3}})?\\{{2,4}}[^\s]{{1,120}}[ \t]{{1,3}}",
        r"(?=\\{0,3}[\"']?[ \t]{1,3}/(?i:user|u):)",
    ),
    _rule(
        "password for sudo",
        r"\|[ \t]{0,3}sudo[ \t]",
        _ECHO,
        rf"(?={_PIPE}sudo[ \t](?:[^\s|;]{{1,32}}[ \t]{{1,3}}){{0,3}}(?:-[A-Za-z]{{0,6}}S|--stdin))",
    ),
    _rule("password for a login", "--password-stdin", _ECHO, rf"(?={_PIPE}[^\r\n|;]{{0,32}}login[ \t][^\r\n|;]{{0,160}}--password-stdin)"),
    _rule(
        "password for chpasswd", "chpasswd", rf"{_ECHO}{_OPEN}[\w.\-]{{1,64}}:", rf"(?={_PIPE}(?:sudo[ \t]{{1,3}})?(?:/usr/sbin/)?chpasswd)"
    ),
    _rule(
        "password in a command's environment",
        "(?:PGPASSWORD|MYSQL_PWD|SSHPASS|REDISCLI_AUTH|RESTIC_PASSWORD|BORG_PASSPHRASE|SNOWSQL_PWD)=",
        _ALONE + r"(?:PGPASSWORD|MYSQL_PWD|SSHPASS|REDISCLI_AUTH|RESTIC_PASSWORD|BORG_PASSPHRASE|SNOWSQL_PWD)=",
    ),
    _rule(
        "literal of a Kubernetes secret",
        "--from-literal",
        rf"--from-literal{_SEPARATE}{_OPEN}[\w.\-]{{0,40}}(?i:pass|password|passwd|passphrase|pwd|secret|token|key)=",
    ),
    _rule("password of Ansible", "ansible_", r"\bansible_(?:ssh_|become_|sudo_|su_|winrm_)?pass(?:word)?="),
    _rule("token of npm's configuration", ":_(?:authToken|password)", rf":_(?:authToken|password){_SEPARATE}"),
    _rule(
        "secure string of PowerShell",
        "(?i:ConvertTo-SecureString)",
        r"(?i:ConvertTo-SecureString(?:[ \t]{1,3}-(?:String|AsPlainText|Force)){0,3})[ \t]{1,3}",
        value=_QUOTED,
    ),
    _rule(
        "password of .netrc",
        r"\slogin\s",
        r"\b(?:machine[ \t]{1,3}[^\s]{1,120}|default)\s{1,8}login\s{1,4}[^\s]{1,80}\s{1,8}password[ \t]{1,4}",
    ),
    _rule(
        "password of a database's user",
        r"(?i:identified)\s",
        r"(?i:\bidentified\s{1,3}(?:with\s{1,3}[\w\"'`]{1,40}\s{1,3})?by)\s{1,3}",
        value=_QUOTED,
    ),
    _rule(
        "password of a database's role",
        r"(?i:create|alter)\s{1,3}(?i:user|role|login)\s",
        r"\b(?i:create|alter)\s{1,3}(?i:user|role|login)\s[^;]{0,200}(?i:password)\s{0,3}=?\s{0,3}[NE]?",
        value=_QUOTED,
    ),
)

RULES: Final = (*OPTIONS, *PLACES)
