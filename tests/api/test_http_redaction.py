"""What GET /api/server/config shows of a configuration."""

from __future__ import annotations

import tomllib

from dvidpy.api.redaction import HIDDEN, redacted

CONFIG = '''
# the old token was cinnamon
[server]
httpAddress = ":8000"
note = "ask for nutmeg"
adminToken = "nutmeg"
"admin.Token" = 'pepper1'
corsDomains = ["*"]
maxRequestBytes = 5
[server.nested]
inline = { user = "u", password = "pepper2", list = [ { apiKey = "pepper3" }, { plain = "salt" } ] }
dotted.secret.value = "pepper4"
multi_token = """
pepper5
pepper6"""
literal_password = \'\'\'
pepper7\'\'\'
"escaped\\u002dpassword" = "pep\\u0070er8"
secrets = ["pepper9", ["pepper10", 77777]]
private_pem = "pepper11"
[store.main]
engine = "leveldb"
path = "/data"
key = "pepper12"
url = "https://somebody:pepper13@example.org/x?token=pepper14&a=b"
[backend."grayscale:abc"]
store = "main"
[kafka]
saslUsername = "pepper20"
saslPassword = "pepper21"
saslMechanisms = "PLAIN"
[hooks]
startWebhook = "https://hooks.example.org/services/pepper22"
startJaneliaConfig = "https://example.org/pepper23"
[auth]
authFile = "pepper15"
deep = { x = ["pepper16"], token = "" }
useIt = true
[email]
Username = "pepper17"
notify = ["pepper18@example.org"]
[[mirror]]
name = "second"
token = "pepper19"
'''


def test_no_secret_of_any_shape_is_shown() -> None:
    shown = redacted(CONFIG, "nutmeg")
    assert not any(word in shown for word in ("pepper", "nutmeg", "cinnamon", "77777", "somebody:p"))


def test_everything_else_is_shown_and_is_toml() -> None:
    shown = tomllib.loads(redacted(CONFIG, "nutmeg", ""))
    assert shown["server"]["httpAddress"] == ":8000"
    assert shown["server"]["corsDomains"] == ["*"]
    assert shown["server"]["maxRequestBytes"] == 5
    assert shown["server"]["note"] == f"ask for {HIDDEN}"
    assert shown["server"]["nested"]["inline"]["list"][1] == {"plain": "salt"}
    assert shown["store"]["main"]["path"] == "/data"
    assert shown["store"]["main"]["url"] == f"https://somebody:{HIDDEN}@example.org/x?token={HIDDEN}&a=b"
    assert shown["backend"] == {"grayscale:abc": {"store": "main"}}
    assert shown["auth"] == {"authFile": HIDDEN, "deep": {"x": [HIDDEN], "token": ""}, "useIt": True}
    assert shown["kafka"]["saslMechanisms"] == "PLAIN"
    assert shown["mirror"] == [{"name": "second", "token": HIDDEN}]


def test_no_configuration_is_empty_text() -> None:
    assert redacted("") == ""
