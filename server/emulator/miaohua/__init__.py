"""Miaohua v1b: pictures from words, descriptions, data sets and LoRA training, strict by its contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.miaohua import datasets, models, results, submits, trained
from atelier_mcp.server.emulator.miaohua.answers import PARAMETER, Refused, Reply, error_body
from atelier_mcp.server.emulator.miaohua.calls import PREFIX, Call, Desk, elsewhere, open_route, route
from atelier_mcp.server.emulator.miaohua.uploads import Uploads
from atelier_mcp.server.emulator.training import Trainer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.world import World

__all__ = ["error_body", "routes"]

DESCRIBE: Final = "atelier_mcp.server.engine.studio:describe"
PAGING: Final = ("page", "per_page", "query")


def routes(world: World) -> list[BaseRoute]:
    """All endpoints below ``/api/v1b``."""
    desk = Desk(world)
    uploads = Uploads(desk)
    world.tasks.render_with(trained.TRAININGS, Trainer(world).train)

    async def get_token(request: Request) -> Reply:
        return await desk.log_in(request)

    async def generation_form(_: Request) -> Reply:
        return Reply(models.generation_form())

    async def training_form(_: Request) -> Reply:
        return Reply(models.training_form())

    endpoints = [
        open_route(desk, "POST", "/get_token", get_token),
        open_route(desk, "GET", "/get_generation_form", generation_form),
        open_route(desk, "GET", "/get_train_form", training_form),
        open_route(desk, "GET", "/train_form", training_form),
        open_route(desk, "POST", "/upload_img", uploads.one),
        open_route(desk, "POST", "/upload_imgs", uploads.many),
        route(desk, "POST", "/task_submit", submits.submit, known=submits.NAMES),
        route(desk, "POST", "/task_result", results.one_result, known=results.NAMES_OF_ONE),
        route(desk, "POST", "/task_results", results.many_results, known=results.NAMES_OF_MANY),
        route(desk, "POST", "/img2txt", describe, known=("init_img",)),
        route(desk, "POST", "/models/base", models.list_bases, known=PAGING),
        route(desk, "POST", "/models/lora", models.list_loras, known=PAGING),
        route(desk, "POST", "/models/private", trained.list_own, known=PAGING),
        route(desk, "POST", "/cn/artist", models.list_artist_controls),
        route(desk, "POST", "/cn/opensource", models.list_opensource_controls),
        route(desk, "POST", "/cn/list", models.list_controls, known=("versionid",)),
        route(desk, "GET", "/cn/list", models.list_controls, known=("versionid",)),
        route(desk, "POST", "/dataset", datasets.create, known=datasets.CREATE_NAMES),
        route(desk, "POST", "/dataset_all", datasets.list_all, known=("page", "per_page")),
        route(desk, "POST", "/dataset/add_images", datasets.add_images, known=datasets.CHANGE_NAMES),
        route(desk, "POST", "/dataset/delete_images", datasets.delete_images, known=datasets.CHANGE_NAMES),
        route(desk, "POST", "/train_submit", trained.submit, known=trained.SUBMIT_NAMES),
        route(desk, "POST", "/train_progress", trained.progress, known=("task_id",)),
    ]
    return [*endpoints, elsewhere(desk, {endpoint.path.removeprefix(PREFIX) for endpoint in endpoints})]


async def describe(call: Call) -> Reply:
    """A picture in words, at once; any link will do (img2txt.upload_required, img2txt.withdrawn)."""
    if call.switches.img2txt_withdrawn:
        raise Refused(PARAMETER, "this function is withdrawn and cannot be called")
    source = await call.source(call.given.text("init_img"), "init_img", from_anywhere=True)
    words: Any = await call.world.engine.run(DESCRIBE, picture=source.data)
    return Reply(words)
