"""Values that would mean something in a file, if they did not stay in their places."""

HOSTILE = (
    "",
    'say "x"',
    "it's; return 200;",
    "} server { listen 1; }",
    "{{7*7}}",
    "$(touch /pwned)",
    "${HOME} $HOME $$",
    "`id`",
    "a\\b\\",
    '\\"; # no comment',
    "#",
    "- a: [b, c]",
    "!!python/object:os.system",
    "&a *a",
    "yes",
    "1e3",
    "80:8080",
    "0o17",
    "~",
    " blanks ",
    "ü € 漢",
)
"""Of one line each, with nothing that steers a terminal."""
CONTROLS = ("a\nb", "a\0", "a\x1b[2J", "a\r", "a\u2028b", "a\tb")
