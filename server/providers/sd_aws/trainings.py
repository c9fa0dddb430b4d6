"""What trainings and their bases have in common, whatever the version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    from atelier_mcp.server.providers.sd_aws.wire import SdAwsRows, SdAwsTrainingBody
    from atelier_mcp.server.requests.aws import CreateTrainingBase


def build_base(request: CreateTrainingBase, name: str, part_count: int, *, creator: str) -> dict[str, Any]:
    """A training base to be made, from an uploaded file called ``name`` or from none.

    The reference leaves ``creator`` out, and without it nothing is made (contract: routes).
    """
    options = {
        "new_model_name": request.name,
        "ckpt_path": name or request.checkpoint_id or "",
        "from_hub": request.hub_model is not None,
        "new_model_url": request.hub_model or "",
        "new_model_token": "",
        "extract_ema": request.extract_ema,
        "train_unfrozen": request.train_unfrozen,
        "is_512": request.is_512,
    }
    body: dict[str, Any] = {
        "model_type": request.kind,
        "name": request.name,
        "filenames": [{"filename": name, "parts_number": part_count}] if name else [],
        "params": {"create_model_params": options},
        "creator": creator,
    }
    return body | ({"checkpoint_id": request.checkpoint_id} if request.checkpoint_id else {})


def find_listed_trainings(
    ids: Collection[str], trainings: SdAwsRows[SdAwsTrainingBody]
) -> dict[str, SdAwsTrainingBody | None]:
    """Trainings out of a list, by id: None for one that is not in it.

    One that may be among the unreadable rows is left out.
    """
    known = {training.id: training for training in trainings}
    return {id_: known.get(id_) for id_ in ids if id_ in known or not trainings.unreadable_count}
