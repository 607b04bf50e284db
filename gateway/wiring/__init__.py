"""What the gateway is built of, by the settings. Nothing else belongs here."""
