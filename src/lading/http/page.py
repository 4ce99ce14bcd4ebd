"""The plain page at `/`: what the model is, what it takes, and a request to paste."""

from __future__ import annotations

from html import escape

from starlette.responses import HTMLResponse

from lading.access.credentials import curl_options
from lading.errors import NotReady
from lading.schema.curl import curl
from lading.schema.listing import list_inputs
from lading.schema.words import answer_in_words
from lading.service import Service
from lading.settings import words

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title><link rel="icon" href="data:,">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733 }}
h1 {{ margin-bottom: 0 }} .what {{ color: #5b6b7b; margin-top: 0 }}
pre {{ background: #f3f5f7; padding: 1rem; white-space: pre-wrap; overflow-wrap: anywhere; border-radius: 6px }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ text-align: left; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid #e3e8ed }}
</style>
<h1>{name}</h1><p class="what">{what}</p>
{body}
</html>
"""


def page(service: Service, url: str) -> HTMLResponse:
    """The page of a model, or of one that is not there yet; `url` is the page's own."""
    try:
        manifest = service.manifest
    except NotReady as error:
        return HTMLResponse(_PAGE.format(name="Lading", what=escape(error.message), body=""), 503)
    schema = service.schema
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(wanted)}<br>{escape(words)}</td></tr>"
        for name, wanted, words in list_inputs(schema)
    )
    links = " · ".join(
        f'<a href="{link}">{link}</a>' for link in ("metadata", "schema", "openapi.json", "metrics", "ready", "health")
    )
    credentials = curl_options(words(service.settings.auth))
    command = escape(curl(f"{url.removesuffix('/')}{manifest.route}", schema, credentials))
    answer = escape(answer_in_words(schema))
    body = f"<h2>Try it</h2><pre>{command}</pre><h2>Inputs</h2><table>{rows}</table><h2>Answer</h2><p>{answer}</p>"
    version = f"version {manifest.version}" if manifest.created else "not packed"
    what = f"{manifest.class_name} · {version} · {schema.task}"
    return HTMLResponse(_PAGE.format(name=escape(manifest.name), what=escape(what), body=f"{body}<p>{links}</p>"))
