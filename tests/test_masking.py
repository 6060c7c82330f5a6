"""What is a secret and what is none: one table of examples, both ways."""

import pytest

from rla_hooks.masking import MASK, holds_private_key, is_secret_name, mask_text, mask_value, masked_command
from rla_hooks.masking.files import is_secret_file, masked_file

SECRET_NAMES = """
    api_key apiKey API_KEY api-key apikey --api-key openai_api_key OPENAI_API_KEY --wandb-key wandb_key X-Api-Key
    password Password PASSWORD passwd pwd --pwd db_password db.password dbPassword userPassword mypassword
    PGPASSWORD MYSQL_PWD SSHPASS ftp_pass DB_PASS passphrase ssh-passphrase secret client_secret clientSecret
    AWS_SECRET_ACCESS_KEY aws.secret_access_key SECRET_KEY secretKey SECRET_KEY_BASE access_key private_key
    privateKey ssh_key signing_key encryption_key AccountKey storage_key token HF_TOKEN hf_token hub_token
    GITHUB_TOKEN access_token accessToken auth_token authToken refresh_token bearer_token bot_token --token
    session_token OAuthToken use_auth_token credentials creds --cred --bearer authorization Authorization
    +env.api_key ++db.password REMOTE_SETTING.password secrets.openai credentials.user api_keys.anthropic
    passwords[0] password_old PROD_PASSWORD db_password_prod password2 api_key_1 jwt NEPTUNE_API_TOKEN
    CLEARML_API_SECRET_KEY KAGGLE_KEY NPM_TOKEN tokens/hf_token env/DB/password wandb.key openai.key
""".split()
OTHER_NAMES = """
    num_tokens max_tokens max_new_tokens n_tokens tokens tokenizer tokenizer_name token_dim token_embedding
    token_type tokens_per_second pad_token eos_token_id bos_token unk_token mask_token image_token cls_token
    special_tokens stop_token next_token start_token prompt_tokens keyboard monkey turkey donkey_kong keys sort_keys
    key_dim num_keys key_value_heads sort_key primary_key obs_key key keypoints hotkeys secretary_problem secretary
    secret_size secret_problem secretSanta secret_name password_length password_reset password_min_length
    password_file passes num_passes forward_pass pass_rate bypass compass passenger_count author authors authority
    auth_method auth_type access accessible private is_private hidden_size lr seed batch_size n_secrets num_api_keys
    max_password credential_type api_key_name api_url api_version username user ftp_server encoder decoder top_p
    top_k env_name pwd_change model.key pad.token path parametrisation
""".split()


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_names_of_secrets(name):
    """Options, variables and keys, however their words are joined, and what is nested in a group of secrets."""
    assert is_secret_name(name)
    assert mask_value(name, "hunter2") == MASK


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_names_of_no_secrets(name):
    """A false alarm would hide hyper-parameters that people compare."""
    assert not is_secret_name(name)
    assert mask_value(name, "hunter2") == "hunter2" and mask_value(name, 4096) == 4096


GITHUB = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
# Pairs of a text and what is written; None: the text itself, for it holds no secret.
TEXTS = [
    # addresses
    ("GET https://me:hunter2@host/x?a=b", "GET https://me:***@host/x?a=b"),
    ("https://S3CRETtoken@host/p.git", "https://***@host/p.git"),
    ("https://oauth2:hunter2@host/p.git", "https://oauth2:***@host/p.git"),
    ("postgres://u:p@ss@h:5432/d", "postgres://u:***@h:5432/d"),
    ("postgres://u:a/b@h/d", "postgres://u:***@h/d"),
    ("redis://:hunter2@h:6379/0", "redis://:***@h:6379/0"),
    ("https://h/x?token=abcdef&b=1", "https://h/x?token=***&b=1"),
    ("https://h/x?api_key=ab12&b=1", "https://h/x?api_key=***&b=1"),
    ("https://h/x?sv=2020&sig=aB3dE9fG7hK2xx%3D", "https://h/x?sv=2020&sig=***"),
    ("https://hooks.slack.com/services/T0AAAAAAA/B0BBBBBBB/abcdefgh", "https://***"),
    ("url: /services/T0AAAAAAA/B0BBBBBBB/abcdefghijklmnop1234 (x)", "url: *** (x)"),
    (f"https://discord.com/api/webhooks/{'12' * 9}/{'aB3_' * 15}", "https://***"),
    (f"with url: /api/webhooks/{'12' * 9}/{'aB3_' * 15}", "with url: ***"),
    ("https://x.webhook.office.com/webhookb2/0123-45@6789abcdef/Incoming", "https://x.***"),
    (f"api.telegram.org/bot123456789:AA{'aB3_' * 8}/sendMessage", "api.telegram.org/***/sendMessage"),
    ("/services/Training/B/x robot123456789:0 /api/webhooks/new", None),
    ("https://abcdef0123@o1.ingest.sentry.io/2", "https://***@o1.ingest.sentry.io/2"),
    ("https://git@github.com/o/r.git", None),
    ("ssh://git@github.com/o/r.git git@github.com:o/r.git", None),
    ("http://host:8080/a@b", None),
    ("abfss://container@account.dfs.core.windows.net/x", None),
    ("s3://bucket/key@2", None),
    ("mongodb+srv://me:${PW}@h", None),
    ("contact me@example.org or bob:me@example.org", None),
    # known forms
    (GITHUB, MASK),
    (f"remote: {GITHUB}.", "remote: ***."),
    ("github_pat_11ABCDEFG0123456789_abcdefghijklmnop", MASK),
    ("glpat-abcdefghij0123456789", MASK),
    ("hf_abcdefghijABCDEFGHIJabcdefghijABCD", MASK),
    ("key sk-" + "Z9" * 12, "key ***"),
    ("sk-proj-abcDEF0123456789_abc", MASK),
    ("sk-ant-api03-abcDEF0123456789", MASK),
    ("xoxb-123456789012-abcdefghij", MASK),
    ("AKIAIOSFODNN7EXAMPLE", MASK),
    ("AIzaSyA1234567890abcdefghijklmnopqrstuv", MASK),
    ("npm_abcdefghijklmnopqrstuvwxyz0123456789", MASK),
    ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123", "jwt ***"),
    ("Bearer abcdefghijklmnop1234", "Bearer ***"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\nrest", "***\nrest"),
    ("see sk-learn, sk-xxxxxxxxxxxxxxxxxxxxxxxx, task-abcdefghijklmnopqrstuvwxyz", None),
    ("hf_hub_download and hf_internal_testing", None),
    ("commit 9d5887f2b1c3d4e5f60718293a4b5c6d7e8f9012", None),
    ("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", None),
    ("uuid 123e4567-e89b-12d3-a456-426614174000", None),
    ("data iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4", None),
    ("the bearer of this letter, bearer token missing", None),
    ('"-----BEGIN RSA PRIVATE KEY-----" is the first line', None),
    # names with values
    ("Authorization: Bearer abc", "Authorization: ***"),
    ("Authorization: Basic dXNlcjpwYXNz", "Authorization: ***"),
    ('{"Authorization": "Bearer abc.def"}', '{"Authorization": "***"}'),
    ("password=hunter2", "password=***"),
    ("wrong password: swordfish", "wrong password: ***"),
    ("password: hunter2 for user bob", "password: *** for user bob"),
    ("Incorrect API key provided: " + GITHUB, "Incorrect API key provided: ***"),
    ('JSON {"api_key": "S3CRET", "n": 3}', 'JSON {"api_key": "***", "n": 3}'),
    (r"in JSON {\"api_key\": \"S3CRET\"}", r"in JSON {\"api_key\": \"***\"}"),
    (r"{'password': 'it\'s', 'x': 1}", "{'password': '***', 'x': 1}"),
    ("Namespace(lr=0.1, api_key='ab12', num_tokens=7)", "Namespace(lr=0.1, api_key='***', num_tokens=7)"),
    ("db={password:S3CRET}", "db={password:***}"),
    ("a=1,password=S3CRET,b=2", "a=1,password=***,b=2"),
    ("x=password=S3CRET", "x=password=***"),
    ("Command '['mysql', '--password', 'hunter2']' failed", "Command '['mysql', '--password', '***']' failed"),
    ("train.py --password hunter2 --lr 0.1", "train.py --password *** --lr 0.1"),
    ("AWS_SECRET_ACCESS_KEY=abc/def+ghi python train.py", "AWS_SECRET_ACCESS_KEY=*** python train.py"),
    ("AccountName=x;AccountKey=abcDEF123==;Suffix=core", "AccountName=x;AccountKey=***;Suffix=core"),
    ('password="correct horse battery staple"', 'password="***"'),
    ("//registry.npmjs.org/:_authToken=abc-def", "//registry.npmjs.org/:_authToken=***"),
    ('key: "a8F3kd9x0PqL2mN4"', 'key: "***"'),
    ("password: wrong for user bob", None),
    ("password = value", None),
    ("password = get_password(user)", None),
    ('api_key=api_key, key=args.api_key, token=os.environ["X"]', None),
    ('def connect(host: str, password: str = "", token: Optional[str] = None) -> None:', None),
    ("arn:aws:secretsmanager:us-west-2:123456789012:secret:MySecret-a1b2c3", None),
    ("token: hello", None),
    ("https://me:{password}@host and ftp://me:%s@host", None),
    ("token: Planted5ecret", "token: ***"),
    ("token = tokens[i]; token='<s>'; pad_token='[PAD]'; eos_token_id=2; max_tokens=4096", None),
    ("Unexpected token: '}'", None),
    ("usage: train.py [--api-key API_KEY] [--token TOKEN] [--password PW]", None),
    ("use --password to set it, --token for the token", None),
    ("error: argument --api-key: expected one argument", None),
    ('sorted(x, key=len), key=lambda x: x[1], key="return", key=layer_1', None),
    ("PASSWORD=$PW TOKEN=${TOKEN} SECRET=$(cat x)", None),
    ("secret: true, password: null, token: 0.1, retries of the password: 3", None),
    ("credentials=/home/me/creds.json", None),
    ('headers={"Authorization": f"Bearer {token}"}, {"Authorization": "Bearer " + token}', None),
]
CODE = [
    ('api_key = "abc123"', 'api_key = "***"'),
    ("config['password'] = 'hunter2'", "config['password'] = '***'"),
    ('password: str = "hunter2"', 'password: str = "***"'),
    ('wandb.login(key="0123456789abcdef0123456789abcdef01234567")', 'wandb.login(key="***")'),
    ('requests.get("https://h/?token=abcdef")', 'requests.get("https://h/?token=***")'),
    (f'TOKEN = "{GITHUB}"', 'TOKEN = "***"'),
    ('os.environ.setdefault("WANDB_API_KEY", "abc123")', 'os.environ.setdefault("WANDB_API_KEY", "***")'),
    ('key = os.getenv("OPENAI_API_KEY", "abc123")', 'key = os.getenv("OPENAI_API_KEY", "***")'),
    ('add_argument("--api-key", type=str, default="abc123")', 'add_argument("--api-key", type=str, default="***")'),
    ('config.get("password", None), config.get("token", "unk"), x.get("password")', None),
    ('add_argument("--password", help="the password"); add_argument("--lr", default="x1y2z3")', None),
    ("password = swordfish", None),
    ('parser.add_argument("--password", "-p", help="the password")', None),
    ('click.option("--token", "--hf-token")', None),
    ('{"password": "the password of the user", "token": "access_token"}', None),
    ("    password: The password to use.", None),
    ("key: str = 'reward', tokens=['a'], token=self.token", None),
]
CONFIG = [
    ("password: hunter2", "password: ***"),
    ("password: 20242024", "password: ***"),
    ("password: correct horse battery  # old", "password: ***  # old"),
    (
        "REMOTE_SETTING: {username: me, password: 'HUNTER2', port: 22}",
        "REMOTE_SETTING: {username: me, password: '***', port: 22}",
    ),
    ("aws_secret_access_key = abcdEFGH1234/+x", "aws_secret_access_key = ***"),
    ("export HF_TOKEN=hf_abc", "export HF_TOKEN=***"),
    ("token: ${{ secrets.GH }}", None),
    ("password: ${oc.env:PW}", None),
    ('{"token": "hello", "tokens": ["a"], "pad_token": "[PAD]"}', None),
    ("api_key: your-key-here\npassword: YOUR_PASSWORD\ntoken: put-it-here", None),
    ('{"password": 2771, "secret": 11233, "monkey": 1}', None),
    ("# token: what the tokenizer makes", None),
]


@pytest.mark.parametrize(
    "kind, given, kept",
    [(kind, *pair) for kind, pairs in (("text", TEXTS), ("code", CODE), ("config", CONFIG)) for pair in pairs],
)
def test_texts(kind, given, kept):
    """What is secret in errors, notes, commands, code and files of settings; masking twice changes nothing more."""
    masked = mask_text(given, kind)
    assert masked == (given if kept is None else kept)
    assert mask_text(masked, kind) == masked


@pytest.mark.parametrize("secret", "ab12 S3CRET hunter2 correct-horse abcDEF123456789 0123456789 p$ss!w0rd é§x".split())
def test_values_by_name(secret):
    """Any text, bytes and long numbers under a secret name, at any depth; None, switches and small numbers stay."""
    given = {
        "lr": 0.1,
        "db": {"host": "h", "password": secret},
        "runs": [{"api_key": secret}, ("x", {"token": secret})],
        "secrets": {"openai": secret, "list": [secret]},
        "args": ["--lr", "1", "--password", secret],
    }
    masked = mask_value("config", given)
    assert secret not in repr(masked) and repr(masked).count(MASK) == 6
    assert masked["lr"] == 0.1 and masked["db"]["host"] == "h" and masked["runs"][1][0] == "x"
    assert given["db"]["password"] == secret
    assert mask_value("password", 20242024) == mask_value("password", secret.encode()) == MASK


@pytest.mark.parametrize(
    "value", [None, True, False, 0, 3, 0.1, "", "none", "True", "0.1", "${HF_TOKEN}", "<token>", "***"]
)
def test_values_that_are_no_secret(value):
    """A secret name with nothing, a switch, a small number or a placeholder."""
    assert mask_value("api_key", value) == value and type(mask_value("api_key", value)) is type(value)


def test_other_objects_are_kept():
    """What is no plain data is the same object, and a list that holds itself comes to an end."""
    thing = object()
    assert mask_value("password", thing) is thing
    assert mask_value("x", ["-a", 1, None, ("-b", 2.5)]) == ["-a", 1, None, ("-b", 2.5)]
    endless = []
    endless.append(endless)
    mask_value("x", endless)


COMMANDS = [
    (["--api-key", "K", "--lr", "1"], ["--api-key", "***", "--lr", "1"]),
    (["--wandb_token=K", "-password", "K"], ["--wandb_token=***", "-password", "***"]),
    (["wandb.api_key=K", "+db.password=K=K"], ["wandb.api_key=***", "+db.password=***"]),
    (["--password", "-S3CRET", "x"], ["--password", "***", "x"]),
    (["--api-keys", "a1", "b2", "--lr", "1"], ["--api-keys", "***", "***", "--lr", "1"]),
    (
        ["-p", "S3CRET", "--key", "S3CRET", "--login", "user:S3CRET"],
        ["-p", "***", "--key", "***", "--login", "user:***"],
    ),
    (["HF_TOKEN=hf_abc", "python", "train.py"], ["HF_TOKEN=***", "python", "train.py"]),
    (["--header", "Authorization: Bearer S3CRET"], ["--header", "Authorization: ***"]),
    (["--config", '{"api_key": "S3CRET"}'], ["--config", '{"api_key": "***"}']),
    (["--url", "https://h/x?api_key=S3CRET&b=1"], ["--url", "https://h/x?api_key=***&b=1"]),
    (["--token", "--token=K"], ["--token", "--token=***"]),
    (["curl", "-u", "me:hunter2", "--user", "1000:1000"], ["curl", "-u", "me:***", "--user", "1000:1000"]),
    (["python", "-u", "train.py", "--user", "me"], None),
    (["--use-secret", "--lr", "1"], None),
    (["--use-auth-token", "true", "--token", "0.1"], None),
    (["--max-tokens", "512", "--tokenizer=bert", "pad_token=<pad>"], None),
    (["-p", "8080", "--key", "reward/mean", "--sort-key=loss", "-k", "10"], None),
    (["train.py", "secret_garden", "--password-file", "/run/secrets/db", "--credentials", "creds.json"], None),
]


@pytest.mark.parametrize("given, kept", COMMANDS)
def test_commands(given, kept):
    """The values of options and assignments; flags and what follows them stay."""
    assert masked_command(given) == (kept or given)


SECRET_FILES = """
    .env .env.local .env.production .env-prod .env_prod .env~ .ENV .env.bak #.env# ..env.swp prod.env .envrc
    .flaskenv secrets/prod.yaml .secrets/token.txt .credentials/gcp.json config/secrets.toml .streamlit/secrets.toml
    kaggle.json .kaggle/x .netrc _netrc id_rsa id_rsa.bak id_rsa_work id_rsa_old .id_rsa.swp id_ed25519_sk
    deploy_key server.key server.key.bak key.pem.old cert.p12 cert.pfx app.keystore a.ppk vault.kdbx token .token
    token.txt token.json .hf_token hf_token.txt api_key.txt api_keys.yaml openai_key wandb_key.txt passwords.txt
    password.txt .vault_pass terraform.tfvars terraform.tfstate terraform.tfstate.backup firebase-adminsdk-abc.json
    gcp-key.json google-credentials.json my-service-account.json serviceAccountKey.json .databrickscfg .bash_history
    .pypirc .npmrc auth.json .docker/config.json .aws/credentials deep/.ssh/config .gnupg/x .git-credentials .pgpass
    .my.cnf credentials credentials.json credentials(1).json aws_credentials.csv accessKeys.csv rootkey.csv
    AuthKey_ABC.p8 key.jwk secret_key.txt secretkey .secret my_secrets.yaml secrets_prod.yaml prod-secrets.json
    .htpasswd private_key.txt user.keytab .msmtprc prod.kubeconfig .modal.toml .smbcredentials
    ansible_vault_password_file cookies.txt cookies.sqlite-wal wallet.dat seed_phrase.txt recovery-codes.txt
    backup_codes.txt sitemanager.xml
""".split()
OTHER_FILES = """
    tokens.py secrets.py secret.py credentials.py api_keys.py passwords.py password_reset.py keys.py auth.py
    monkey.py env.py secrets/__init__.py secrets/vault.py train.py.bak train.py~ .env.example .env.sample
    .env.template example.env secrets.example.yaml id_rsa.pub known_hosts public_key.txt environment.py
    environment.yml env envs/cartpole.yaml tokenizer.json tokenizer_config.json special_tokens_map.json
    added_tokens.json tokens.txt token_counts.csv token_embedding.pt vocab.txt keys.json key.txt hotkey.json
    key_value.json monkeys/key.json keyboard.json secretary.txt secret_santa.py author.json authors.txt
    pass_rate.csv history.json auth.yaml config.yaml config_old.yaml README.md get_token.sh reset_password.sh
    cookies.py seed.txt recovery.csv vault.yaml wallet.py
    private.txt service.json db.yaml passwordless.md password_strength.csv signature.json
""".split()


@pytest.mark.parametrize("path", SECRET_FILES)
def test_files_of_secrets(path):
    """Usual names, their backups, and folders of keys."""
    assert is_secret_file(path)


@pytest.mark.parametrize("path", OTHER_FILES)
def test_files_of_no_secrets(path):
    """Source code and templates whatever they are called, and words that only look alike."""
    assert not is_secret_file(path)


def test_the_table_is_long():
    """Enough examples to keep the rules honest, both ways."""
    texts = [*TEXTS, *CODE, *CONFIG]
    secrets = [SECRET_NAMES, SECRET_FILES, [kept for _, kept in [*texts, *COMMANDS] if kept]]
    others = [OTHER_NAMES, OTHER_FILES, [given for given, kept in [*texts, *COMMANDS] if not kept]]
    assert min(sum(map(len, secrets)), sum(map(len, others))) >= 150


KEY = "-----BEGIN OPENSSH PRIVATE" + " KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "text, held",
    [
        (KEY, True),
        (KEY.replace("\n", "\r\n"), True),
        (KEY.replace("OPENSSH ", ""), True),
        ('{"private_key": "' + KEY.replace("\n", "\\n") + '"}', True),
        ("x = '''" + KEY + "'''", True),
        ("".join(f"+{line}\n" for line in KEY.splitlines()), True),
        ("PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nAAAA\n", True),
        (KEY.replace("PRIVATE", "PUBLIC"), False),
        (KEY.splitlines()[0], False),
        (f'HEAD = "{KEY.splitlines()[0]}"\nif HEAD in text:\n', False),
        (KEY.splitlines()[0] + "\n...\n", False),
        ("The PRIVATE KEY is in the safe.", False),
    ],
)
def test_private_keys(text, held):
    """A key by its first two lines, also in JSON, in code and in a diff; the words of its first line are none."""
    assert holds_private_key(text) == holds_private_key(text.encode()) == held
    assert (masked_file("notes.txt", text.encode()) is None) == held


@pytest.mark.parametrize(
    "path, text, kept",
    [
        ("xai_key", "Zq9xk2Kd83jfLs0\n", False),
        (".runpod_key", "Zq9xk2Kd83jfLs0", False),
        ("conf/pass.txt", "rpa_Zq9xk2Kd83jfLs0\n", False),
        ("sort_key", "return_mean\n", True),
        ("key.txt", "Zq9xk2Kd83jfLs0 is where the runs are\n", True),
        ("best_key.txt", "9d5887f2b1c3d4e5f60718293a4b5c6d7e8f9012\n", True),
        ("num_tokens", "Zq9xk2Kd83jfLs0", True),
        ("notes.txt", "Zq9xk2Kd83jfLs0", True),
        ("key.py", "Zq9xk2Kd83jfLs0", True),
    ],
)
def test_files_of_a_single_word(path, text, kept):
    """A file that a key may be in is left out if a random word is all that it has."""
    assert masked_file(path, text.encode()) == (text.encode() if kept else None)


def test_masked_files():
    """Files of settings, code and text keep all but the secret, whatever their encoding; others are kept whole."""
    assert masked_file("a.yaml", "é: 1\npassword: héllo\n".encode()) == "é: 1\npassword: ***\n".encode()
    assert masked_file("a.py", b"x = 1  # \xff\npassword = 'hunter2'\n") == b"x = 1  # \xff\npassword = '***'\n"
    for data in (b"lr: 0.1\n", b"\xff\x00password: hunter2", b"password: hunter2\n" * 2**17):
        assert masked_file("a.yaml", data) is data


HOSTILE = [
    "key=", "token:", "a://a:", "-eyJ", "ghp_", "a.", 'password="', "--password ", "password=a,b", "bearer ",
    "password:(",
    "-----BEGIN PRIVATE KEY-----\nAAAAAAAA",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_texts_take_linear_time(piece):
    """A megabyte made to let regular expressions try for hours takes about half a second."""
    mask_text(piece * (2**20 // len(piece)))
