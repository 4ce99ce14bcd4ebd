"""Who may ask what: credentials, principals, scopes, rates. It knows neither HTTP nor models."""
