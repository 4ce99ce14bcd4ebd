"""Send every test image to the service at an address, one by one, and count the right answers."""

import json
import sys
from pathlib import Path
from urllib.request import Request, urlopen

images = sorted(Path("test-images").glob("?-*.png"))
right = 0
for image in images:
    request = Request(f"{sys.argv[1]}/predict", image.read_bytes(), {"content-type": "image/png"})
    with urlopen(request) as reply:
        right += json.load(reply)["digit"] == int(image.name[0])
print(f"of {len(images)} images {right / len(images):.2%} are right")
