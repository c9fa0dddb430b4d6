"""Uploads: a signed link for one file, and files in parts as checkpoints and training bases have them.

(contract: create_checkpoint, update_checkpoint.etag_quotes)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.object_store import BUCKET

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import CallRow, SdAwsCall

MOST_PARTS: Final = 10_000


def build_rows() -> list[CallRow]:
    """The link for one file."""
    return [("2023", "GET", "/inference/generate-s3-presigned-url-for-uploading", presign)]


async def presign(call: SdAwsCall) -> Any:
    """A link that takes one file, as a bare string."""
    query = call.request.query_params
    if not query.get("key"):
        # One of the few calls with a real status (presign_upload.key_required).
        raise SdAwsHttpError(400, "Key parameter is required")
    if query.get("s3_bucket_name", BUCKET) != BUCKET:
        raise SdAwsHttpError(500, "the bucket does not belong to this deployment")
    return call.objects.create_upload_link(f"uploads/{call.account}/{query['key']}", origin=call.origin)


async def begin_uploads(call: SdAwsCall, record: dict[str, Any], prefix: str, most_parts: int) -> dict[str, list[str]]:
    """Begin an upload per file of the body; the record remembers them. Answers each file's part links."""
    uploads: dict[str, list[str]] = {}
    for entry in call.read_objects("filenames"):
        name, parts = entry.get("filename"), entry.get("parts_number")
        if not isinstance(name, str) or not name or isinstance(parts, bool) or not isinstance(parts, int):
            raise SdAwsHttpError(500, "filenames: each needs filename and parts_number")
        if not 1 <= parts <= most_parts:
            raise SdAwsHttpError(400, f"parts_number must be from 1 to {most_parts}")
        key = f"{prefix}/{name}"
        upload_id, uploads[name] = call.objects.create_part_links(key, parts, origin=call.origin)
        record["params"]["multipart_upload"][name] = {"upload_id": upload_id, "bucket": BUCKET, "key": key}
        record["names"].append(name)
    return uploads


async def complete_uploads(call: SdAwsCall, record: dict[str, Any]) -> None:
    """Put together what was uploaded, by the tags of the body."""
    tags: Any = call.body.get("multi_parts_tags") or {}
    for name, upload in record["params"]["multipart_upload"].items():
        if not tags.get(name):
            raise SdAwsHttpError(400, f"multi_parts_tags has no parts of {name}")
        await call.objects.complete(upload["key"], upload["upload_id"], tags[name])
