"""How two installations talk: who we are (`keys`), what we show of it (`card`), how a message is sealed,
signed and answered (`envelope`), and how it is posted (`wire`). docs/reference/exchange-protocol.md says it
in words."""
