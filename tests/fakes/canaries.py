"""Secrets as a shell of a trading desk has them, one of each kind: no process sees another's, and none is ever written down."""

SECRETS = {
    "OPENAI_API_KEY": "sk-canary-model",
    "MY_MODEL_KEY": "canary-named",
    "BINANCE_API_SECRET": "canary-venue",
    "OKX_SECRET": "canary-okx",
    "AWS_SECRET_ACCESS_KEY": "canary-cloud",
    "NIGHTDESK_TOKEN": "canary-token",
    "SLACK_APP_TOKEN": "canary-slack",
}
MODEL_KEYS = ("OPENAI_API_KEY", "MY_MODEL_KEY")  # the second one where desk.toml names it (OWN_MODEL)
OWN_MODEL = '\n[models.own]\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "m"\nkey_env = "MY_MODEL_KEY"\n'
VENUE_KEYS = {"OWN_VENUE_KEY": "canary-own-venue-key", "OWN_VENUE_SECRET": "canary-own-venue-secret"}  # the worker's alone
OWN_ACCOUNT = '\n[accounts.own]\nvenue = "bybit"\nmode = "testnet"\nkey_env = "OWN_VENUE_KEY"\nsecret_env = "OWN_VENUE_SECRET"\n'
