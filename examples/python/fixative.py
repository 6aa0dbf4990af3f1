"""A typed client of Fixative on the standard library of Python 3.10 or later."""

from __future__ import annotations

import json
import mimetypes
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

FIELDS = "id status url width height prompt tags"


class FixativeError(Exception):
    """The request failed, or the server refused the mutation."""


@dataclass(frozen=True)
class Image:
    id: str
    status: str
    url: str | None
    width: int | None
    height: int | None
    prompt: str
    tags: list[str]


@dataclass(frozen=True)
class Client:
    url: str = os.environ.get("FIXATIVE_URL", "http://127.0.0.1:4000")
    token: str = os.environ.get("FIXATIVE_TOKEN", "")
    timeout: float = 180

    def ask(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """Sends a document and returns its data."""
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        return self._send(body, "application/json")

    def generate(self, prompt: str, **options: Any) -> list[Image]:
        data = self.ask(
            "mutation ($input: GenerateImageInput!) { generateImage(input: $input) {"
            f" images {{ {FIELDS} }} userErrors {{ code message }} }} }}",
            {"input": {"prompt": prompt, **options}},
        )
        return [Image(**image) for image in _accepted(data["generateImage"])["images"]]

    def upload(self, path: str | Path, **options: Any) -> Image:
        path = Path(path)
        operations = {
            "query": "mutation ($input: UploadImageInput!) { uploadImage(input: $input) {"
            f" image {{ {FIELDS} }} userErrors {{ code message }} }} }}",
            "variables": {"input": {"file": None, **options}},
        }
        boundary = uuid.uuid4().hex
        mime = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        parts = [
            ('name="operations"', "application/json", json.dumps(operations).encode()),
            ('name="map"', "application/json", b'{"0": ["variables.input.file"]}'),
            (f'name="0"; filename="{path.name}"', mime, path.read_bytes()),
        ]
        body = b"".join(
            f"--{boundary}\r\nContent-Disposition: form-data; {name}\r\nContent-Type: {kind}\r\n\r\n".encode()
            + content
            + b"\r\n"
            for name, kind, content in parts
        )
        data = self._send(body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}")
        return Image(**_accepted(data["uploadImage"])["image"])

    def images(self, page_size: int = 50, **filter: Any) -> Iterator[Image]:
        """Walks through all images that match, newest first."""
        after = None
        while True:
            page = self.ask(
                "query ($filter: ImageFilter, $first: Int, $after: String) {"
                " images(filter: $filter, first: $first, after: $after) {"
                f" nodes {{ {FIELDS} }} pageInfo {{ hasNextPage endCursor }} }} }}",
                {"filter": filter, "first": page_size, "after": after},
            )["images"]
            yield from (Image(**image) for image in page["nodes"])
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def _send(self, body: bytes, content_type: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type}
        with urlopen(Request(f"{self.url}/graphql", body, headers), timeout=self.timeout) as response:
            result = json.load(response)
        if result.get("errors"):
            raise FixativeError("; ".join(error["message"] for error in result["errors"]))
        return result["data"]


def _accepted(payload: dict[str, Any]) -> dict[str, Any]:
    if payload["userErrors"]:
        raise FixativeError("; ".join(f"{error['code']}: {error['message']}" for error in payload["userErrors"]))
    return payload
