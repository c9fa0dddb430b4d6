"""Data sets: pictures to train on, one signed link each (contract: create_dataset ff.)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.calls import Call, Refused, Reply
from atelier_mcp.server.emulator.sd_aws.objects import FILE_UPLOAD_S, PREVIEW_S, Objects, location

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import Door

STATES: Final = ("Initialed", "Enabled", "Disabled")
LATER_NAME: Final = re.compile(r"[A-Za-z][\w-]{0,19}")
MOST_FILES: Final = 500


class DataSets:
    """The calls about data sets."""

    def __init__(self, objects: Objects) -> None:
        """Upload to ``objects``."""
        self._objects = objects

    def offer(self, door: Door) -> None:
        """Hang up the calls."""
        door.legacy("POST", "/dataset", self.create)
        door.legacy("PUT", "/dataset", self.update)
        door.legacy("GET", "/datasets", self.listed)
        door.legacy("GET", "/dataset/{name}/data", self.items)
        door.legacy("GET", "/{name}/data", self.items)
        door.restful("POST", "/datasets", self.create_later)
        door.restful("GET", "/datasets", self.listed_later)
        door.restful("GET", "/datasets/{name}", self.items_later)
        door.restful("PUT", "/datasets/{name}", self.update_later)
        door.restful("POST", "/datasets/{name}/crop", self.crop)
        door.restful("DELETE", "/datasets", self.delete)

    async def create(self, call: Call) -> Any:
        """Make a data set, anew when there is one of that name."""
        call.need("dataset_name", "content")
        links = await self._created(call)
        shown: Any = [{name: link} for name, link in links.items()] if call.switches.printed_uploads else links
        return {"statusCode": 200, "datasetName": call.text("dataset_name"), "s3PresignUrl": shown}

    async def update(self, call: Call) -> Any:
        """Set a state."""
        record = await self._updated(call, call.text("dataset_name"))
        return {"statusCode": 200, "datasetName": record["id"], "status": record["status"]}

    async def listed(self, call: Call) -> Any:
        """All data sets by state."""
        return {"statusCode": 200, "datasets": await self._rows(call)}

    async def items(self, call: Call) -> Any:
        """The files of one."""
        record = await self._found(call, call.request.path_params["name"])
        return {"statusCode": 200, "dataset_name": record["id"], **_row(record), "data": self._items(call, record)}

    async def create_later(self, call: Call) -> Any:
        """Make a data set."""
        call.need("dataset_name", "content", "creator", "prefix")
        if not LATER_NAME.fullmatch(call.text("dataset_name")):
            raise Refused(400, "dataset_name must have 1 to 20 characters and begin with a letter")
        links = await self._created(call)
        return Reply({"datasetName": call.text("dataset_name"), "s3PresignUrl": links}, 201, "Created")

    async def listed_later(self, call: Call) -> Any:
        """All data sets."""
        return Reply({"datasets": await self._rows(call)})

    async def items_later(self, call: Call) -> Any:
        """The files of one."""
        record = await self._found(call, call.request.path_params["name"])
        return Reply({"dataset_name": record["id"], **_row(record), "data": self._items(call, record)})

    async def update_later(self, call: Call) -> Any:
        """Set a state."""
        call.need("status")
        record = await self._updated(call, call.request.path_params["name"])
        return Reply({"datasetName": record["id"], "status": record["status"]})

    async def crop(self, call: Call) -> Any:
        """Make a smaller copy: a new data set of the same pictures, as nothing here looks at their size."""
        call.need("max_resolution")
        size = call.text("max_resolution")
        if not re.fullmatch(r"\d{2,4}x\d{2,4}", size):
            raise Refused(400, "max_resolution must be like 512x512")
        record = await self._found(call, call.request.path_params["name"])
        name = f"{record['id']}_{size}"
        await call.records.put("dataset", name, {**record, "created": call.now})
        return Reply({"dataset_name": name}, 202, "Accepted")

    async def delete(self, call: Call) -> Any:
        """Delete by names; unknown ones are no error."""
        call.need("dataset_name_list")
        for name in call.texts("dataset_name_list", least=1, most=10):
            await call.records.drop("dataset", name)
        return Reply(status=204)

    async def _created(self, call: Call) -> dict[str, str]:
        name, content = call.text("dataset_name"), call.objects("content")
        if not name or not 1 <= len(content) <= MOST_FILES:
            raise Refused(400, f"dataset_name and 1 to {MOST_FILES} files are needed")
        missing = [entry for entry in content if not {"filename", "name", "type"} <= set(entry)]
        if missing:
            raise Refused(500, "content: each needs filename, name and type")
        given: Any = call.body.get("params") or {}
        items = [{"filename": entry["filename"], "name": entry["name"], "type": entry["type"]} for entry in content]
        record = {"status": "Initialed", "items": items, "params": given, "created": call.now}
        await call.records.put("dataset", name, record)
        return {
            item["filename"]: self._objects.upload_link(
                key_of(name, item["filename"]), origin=call.origin, seconds=FILE_UPLOAD_S
            )
            for item in items
        }

    async def _updated(self, call: Call, name: str) -> dict[str, Any]:
        state = call.text("status")
        if state not in STATES:
            raise Refused(400, f"status must be one of {', '.join(STATES)}")
        record = await self._found(call, name)
        return await call.records.put("dataset", name, {**record, "status": state})

    async def _rows(self, call: Call) -> list[dict[str, Any]]:
        states = call.many("dataset_status")
        return [_row(r) for r in await call.records.all("dataset") if not states or r["status"] in states]

    def _items(self, call: Call, record: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {
                "key": item["filename"],
                "name": item["name"],
                "type": item["type"],
                "original_file_name": item["filename"],
                "preview_url": self._objects.download_link(
                    key_of(record["id"], item["filename"]), origin=call.origin, seconds=PREVIEW_S
                ),
                "dataStatus": record["status"],
            }
            for item in record["items"]
        ]

    async def _found(self, call: Call, name: str) -> dict[str, Any]:
        record = await call.records.get("dataset", name)
        if record is None:
            raise Refused(404, f"dataset {name} is not found", key="errorMsg")
        return record


def key_of(name: str, filename: str) -> str:
    """Where a picture of a data set lies."""
    return f"dataset/{name}/{filename}"


def _row(record: dict[str, Any]) -> dict[str, Any]:
    return {
        **record["params"],
        "datasetName": record["id"],
        "s3": location(f"dataset/{record['id']}"),
        "status": record["status"],
        "timestamp": record["created"],
    }
