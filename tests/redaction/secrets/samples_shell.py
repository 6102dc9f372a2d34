"""Examples of passwords as arguments of commands."""

from tests.redaction.secrets.samples import Examples

REFERENCES = ["$PASS", "${PASS}", "%PASS%", "$(cat /run/x)", "<password>", "********", "{{ password }}", "changeme", "$1", "YOUR_PASSWORD"]


def _examples(*found: str, left: tuple[str, ...] = ()) -> Examples:
    """Return a command's examples: where a password stands in the first, a reference is left."""
    before, after = found[0].split("«‹w11›»")
    return Examples(found, [*(f"{before}{reference}{after}" for reference in REFERENCES), *left])


EXAMPLES = {
    "password of mysql": _examples(
        "mysql -u root -p«‹w11›» app",
        "mysqldump -h db -p'«‹w11›»' app > x.sql",
        'run(["mysqladmin", "-uroot", "-p«‹w11›»"])',
        "mariadb --password=«‹w11›» x",
        '{"cmd": "mysql -p«‹w11›»"}',
        left=("mysql -u root -p app", "mysql x; mkdir -pv ‹w11›", "mysql -p --port 3306"),
    ),
    "password of a registry": _examples(
        "docker login -u me -p «‹w11›» registry.example",
        "podman login --password='«‹w11›»' x",
        "helm registry login x -u me --password «‹w11›»",
        "az login -u a -p «‹w11›»",
        "oc login -u a -p «‹w11›»",
        left=("docker run -p 8080:80 x", "docker login x && mkdir -p ‹w11›", "docker login -u me --password-stdin ‹w11›"),
    ),
    "password of redis-cli": _examples("redis-cli -h x -a «‹w11›» ping", "redis-cli -a '«‹w11›»'", left=("redis-cli get -x ‹w11›",)),
    "password of mongo": _examples(
        "mongosh -u a -p «‹w11›» x", "mongodump --password «‹w11›»", left=("mongo --port 27017", "mongosh -p --host")
    ),
    "password of sqlcmd": _examples(
        "sqlcmd -S h -U sa -P «‹w11›» -Q x", r"cd x\nsqlcmd -P «‹w11›»", "bcp t in f -U sa -P'«‹w11›»'", left=("sqlcmd -p ‹w11›",)
    ),
    "password of snowsql": _examples("snowsql -a x -p «‹w11›» -q y", left=("snowsql -p 8080",)),
    "password of a key store": _examples(
        "keytool -list -storepass «‹w11›» -v", "keytool -keypass '«‹w11›»'", left=("keytool -storepass -keypass", "keytool -alias ‹w11›")
    ),
    "password of openssl": _examples(
        "openssl rsa -passin pass:«‹w11›» -in x",
        "openssl rsa -passin 'pass:«‹w11›»'",
        left=("openssl rsa -passin env:P", "openssl rsa -in ‹w11›"),
    ),
    "password of ldapsearch": _examples(
        "ldapsearch -x -D cn=a -w «‹w11›» -b dc=x", "ldapadd -w'«‹w11›»'", left=("ldapsearch -W -b ‹w11›",)
    ),
    "password of smbclient": _examples(
        "smbclient //h/s -U user%«‹w11›» -c ls", "smbclient -U 'CORP/u%«‹w11›»'", left=("smbclient //h/s -U ‹w11›",)
    ),
    "password of zip": _examples("unzip -P «‹w11›» x.zip", "zip -r -P '«‹w11›»' x.zip a", left=("unzip -p x.zip ‹w11›",)),
    "password of 7z": _examples("7z a -p«‹w11›» x.7z", "7za x '-p«‹w11›»' x", left=("7z a -p x.7z", "7z a ‹w11›")),
    "password of a remote desktop": _examples("xfreerdp /u:a /p:«‹w11›» /v:h", "xfreerdp3 /p:'«‹w11›»'", left=("xfreerdp /v:‹w11›",)),
    "password of wget": _examples("wget --user=a --password=«‹w11›» https://x", left=("wget -O ‹w11› https://x",)),
    "password of sshpass": _examples(
        "sshpass -p «‹w11›» ssh -p 2222 a@h",
        "sshpass -p'«‹w11›»' scp x",
        '["sshpass", "-p", "«‹w11›»"]',
        left=("sshpass -e ssh -p 2222 x", "sshpass -f ‹w11›"),
    ),
    "password of htpasswd": _examples("htpasswd -bc /etc/f me «‹w11›»", "htpasswd -nb me '«‹w11›»'", left=("htpasswd -c /etc/f ‹w11›",)),
    "password of net user": _examples(
        "net user bob «‹w11›» /add", 'net user bob "«‹w11›»" /domain', left=("net user bob /add", "net user ‹w11› /add")
    ),
    "password of net use": _examples("net use x: \\\\h\\s /user:me «‹w11›» x", left=("net use x: \\\\h\\s /user:me /persistent:no",)),
    "password before the user of net use": _examples("net use x: \\\\h\\s «‹w11›» /user:me", left=("net use x: \\\\h\\s /user:me",)),
    "password for sudo": _examples("echo «‹w11›» | sudo -S apt x", "echo '«‹w11›»' | sudo -k -S x", left=("echo ‹w11› | sudo tee x",)),
    "password for a login": _examples(
        "echo «‹w11›» | docker login -u me --password-stdin",
        "echo -n '«‹w11›»' | podman login --password-stdin x",
        left=("cat x | docker login --password-stdin",),
    ),
    "password for chpasswd": _examples("echo root:«‹w11›» | chpasswd", "echo 'me:«‹w11›»' | sudo chpasswd", left=("cat ‹w11› | chpasswd",)),
    "password in a command's environment": _examples(
        "PGPASSWORD=«‹w11›» psql -h x", "MYSQL_PWD='«‹w11›»' mysql", left=("unset PGPASSWORD", "PGPASSWORD= psql")
    ),
    "literal of a Kubernetes secret": _examples(
        "kubectl create secret generic x --from-literal=password=«‹w11›» -n y",
        "--from-literal 'db-password=«‹w11›»'",
        left=("--from-literal=user=‹w11›",),
    ),
    "password of Ansible": _examples(
        "ansible x -e ansible_password=«‹w11›» -i y", "-e 'ansible_become_pass=«‹w11›»'", left=("-e ansible_user=‹w11›",)
    ),
    "token of npm's configuration": _examples(
        "npm config set //r.example/:_authToken «‹w11›» -g",
        "//r.example/:_authToken=«‹w11›»",
        left=("npm config get //r.example/:_authToken",),
    ),
    "secure string of PowerShell": _examples(
        "ConvertTo-SecureString '«‹w11›»' -AsPlainText -Force",
        'ConvertTo-SecureString -String "«‹w11›»"',
        left=("ConvertTo-SecureString $plain -Force",),
    ),
    "password of .netrc": _examples(
        "machine h.example login me password «‹w11›» x",
        "machine h\n  login me\n  password «‹w11›»\n",
        left=("the login name and password of it",),
    ),
    "password of a database's user": _examples(
        "CREATE USER a IDENTIFIED BY '«‹w11›»';",
        "alter user 'a'@'%' identified with x by '«‹w11›»'",
        left=("it is identified by 'a' name", "identified by users"),
    ),
    "password of a database's role": _examples(
        "ALTER ROLE a WITH LOGIN PASSWORD '«‹w11›»';", "CREATE LOGIN x WITH PASSWORD = N'«‹w11›»'", left=("ALTER USER a PASSWORD NULL",)
    ),
}
