"""Generates an image, uploads a file, and lists both."""

import json
import sys

from fixative import Client, FixativeError

client = Client()
made = client.generate("a fox in the snow", model="sample", size="64x64", userId="python")
uploaded = client.upload(sys.argv[1], userId="python", prompt="uploaded")
prompts = [image.prompt for image in client.images(page_size=1, userId="python")]
try:
    client.generate("", model="none", userId="python")
    refused = None
except FixativeError as error:
    refused = str(error).split(":")[0]
print(json.dumps({"status": made[0].status, "uploaded": uploaded.status, "prompts": prompts, "refused": refused}))
