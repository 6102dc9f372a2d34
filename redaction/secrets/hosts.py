"""Credentials of source hosts, package registries and what builds software."""

from typing import Final

from redaction.secrets.checks import base32_key, github_checksum, has_digit, key_like, random_letters, random_looking
from redaction.secrets.rule import ALONE, BASE64, HEX, URLSAFE, UUID, WORD, SecretRule, assigned, near, prefixed, shaped, words_of

GITHUB: Final = (
    SecretRule(
        name="GitHub token",
        entity="GITHUB_TOKEN",
        shape="gh[oprsuv]_[A-Za-z0-9]{20}",
        expression="gh[oprsuv]_[A-Za-z0-9]{20,255}",
        score=0.95,
    ),
    SecretRule(
        name="GitHub token with an id",
        entity="GITHUB_TOKEN",
        shape=r"gh[su]_[0-9]{1,12}_[A-Za-z0-9_.\-]{16}",
        expression=r"gh[su]_[0-9]{1,12}_[A-Za-z0-9_.\-]{20,}+",
        score=0.95,
        long=True,
    ),
    SecretRule(
        name="GitHub token of a kind to come",
        entity="GITHUB_TOKEN",
        shape="gh[a-z]_[A-Za-z0-9]{36}",
        expression=ALONE + "gh[a-z]_[A-Za-z0-9]{36}(?![A-Za-z0-9])",
        accept=github_checksum,
    ),
    SecretRule(
        name="GitHub fine-grained token",
        entity="GITHUB_TOKEN",
        shape="github_pat_",
        expression="github_pat_[A-Za-z0-9_]{22,255}",
        score=0.95,
    ),
    shaped("GITHUB_TOKEN", "GitHub installation token of old", r"v1\." + HEX + "{40}"),
)

GITLAB: Final = (
    SecretRule(
        name="GitLab token",
        entity="GITLAB_TOKEN",
        shape="gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct|wt)-" + URLSAFE + "{12}",
        expression="gl(?:pat|oas|dt|rtr|rt|cbt|ptt|ft|imt|agent|soat|ffct|wt)-" + URLSAFE + r"{16,300}+(?:\.[0-9a-z]{2}\.[0-9a-z]{6,12})?",
        score=0.95,
    ),
    prefixed("GITLAB_TOKEN", "GitLab runner registration token", "GR1348941", URLSAFE, 16, 40, alone=False),
)

ATLASSIAN: Final = (
    prefixed("BITBUCKET_TOKEN", "Bitbucket app password", "ATBB", "[A-Za-z0-9_=.\\-]", 24, 60, accept=has_digit),
    prefixed("BITBUCKET_TOKEN", "Bitbucket access token", "ATCTT3", "[A-Za-z0-9_=\\-]", 24, 400, alone=False),
    near("BITBUCKET_TOKEN", "Bitbucket client secret", "[A-Za-z0-9_=\\-]{32,64}", words_of("bitbucket"), accept=random_looking),
    prefixed("ATLASSIAN_TOKEN", "Atlassian token", "AT(?:ATT|STT|OTT)3", "[A-Za-z0-9_=\\-]", 24, 400, alone=False),
    near("ATLASSIAN_TOKEN", "Atlassian token of old", WORD + "{24}", words_of("atlassian", "jira", "confluence"), accept=random_looking),
)

REGISTRIES: Final = (
    prefixed("NPM_TOKEN", "npm token", "npm_", WORD, 30, 60, alone=False),
    assigned(
        "NPM_TOKEN", "npm token of old", r":_auth(?:token)?|npm[_\-.]?(?:auth)?[_\-.]?token", f"(?:{UUID}|{BASE64}{{20,120}}={{0,2}})"
    ),
    prefixed("PYPI_TOKEN", "PyPI token", "pypi-AgE", URLSAFE, 16, 480, alone=False),
    prefixed("PYPI_TOKEN", "PyPI token, any", "pypi-", URLSAFE, 40, 480, accept=key_like, score=0.9),
    prefixed("RUBYGEMS_KEY", "RubyGems key", "rubygems_", HEX, 32, 64, alone=False),
    prefixed("CRATES_TOKEN", "crates.io token", "cio", WORD, 32, 40, accept=random_letters),
    prefixed("NUGET_KEY", "NuGet key", "oy2", "[a-z0-9]", 43, 43, accept=base32_key),
    prefixed("DOCKER_TOKEN", "Docker token", "dckr_(?:pat|oat)_", URLSAFE, 20, 60, alone=False),
    prefixed("CLOJARS_TOKEN", "Clojars token", "CLOJARS_", "[0-9a-z]", 50, 70),
    prefixed("ARTIFACTORY_KEY", "Artifactory key", "AKCp", WORD, 60, 80),
    prefixed("ARTIFACTORY_KEY", "Artifactory reference token", "cmVmd", WORD, 50, 70),
)

BUILDERS: Final = (
    prefixed("CIRCLECI_TOKEN", "CircleCI token", "CCI(?:PAT|PRJ)_", "[A-Za-z0-9_]", 30, 80),
    prefixed("BUILDKITE_TOKEN", "Buildkite token", "bk(?:ua|aj|ct|pt)_", WORD, 30, 80),
    prefixed("SOURCEGRAPH_TOKEN", "Sourcegraph token", "sgp_(?:[A-Fa-f0-9]{16}_|local_)?", HEX, 40, 40),
    prefixed("SONAR_TOKEN", "Sonar token", "sq[upa]_", HEX, 40, 40),
    assigned("CODECOV_TOKEN", "Codecov token", r"codecov[a-z0-9_\-. ]{0,12}token", f"(?:{UUID}|[0-9a-z]{{32}})"),
    prefixed("HARNESS_TOKEN", "Harness token", r"(?:pat|sat)\.[A-Za-z0-9_\-]{22}\.", "[A-Za-z0-9_.\\-]", 24, 60),
    prefixed("POSTMAN_KEY", "Postman key", "PMAK-", "[A-Za-z0-9\\-]", 40, 80, alone=False),
)

RULES: Final = (*GITHUB, *GITLAB, *ATLASSIAN, *REGISTRIES, *BUILDERS)
