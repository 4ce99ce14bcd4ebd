"""Services elsewhere: how one is asked over HTTP, and what it says of itself."""
