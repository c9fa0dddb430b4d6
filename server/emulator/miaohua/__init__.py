"""Miaohua v1b: pictures from words, descriptions, data sets and LoRA training, strict by its contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.miaohua import datasets, models, task_results, task_submit, trainings
from atelier_mcp.server.emulator.miaohua.calls import (
    PREFIX,
    MiaohuaCall,
    MiaohuaState,
    build_fallback_route,
    build_open_route,
    build_route,
)
from atelier_mcp.server.emulator.miaohua.errors import PARAMETER, MiaohuaApiResponse, MiaohuaHttpError, build_error_body
from atelier_mcp.server.emulator.miaohua.uploads import UploadHandlers
from atelier_mcp.server.emulator.trainer import Trainer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.state import EmulatorState

__all__ = ["build_error_body", "build_routes"]

DESCRIBE: Final = "describe"
PAGING: Final = ("page", "per_page", "query")


def build_routes(emulator: EmulatorState) -> list[BaseRoute]:
    """All endpoints below ``/api/v1b``."""
    state = MiaohuaState(emulator)
    uploads = UploadHandlers(state)
    emulator.tasks.set_renderer(trainings.TRAININGS, Trainer(emulator).train)

    async def get_token(request: Request) -> MiaohuaApiResponse:
        return await state.log_in(request)

    async def get_generation_form(_: Request) -> MiaohuaApiResponse:
        return MiaohuaApiResponse(models.build_generation_form())

    async def get_training_form(_: Request) -> MiaohuaApiResponse:
        return MiaohuaApiResponse(models.build_training_form())

    endpoints = [
        build_open_route(state, "POST", "/get_token", get_token),
        build_open_route(state, "GET", "/get_generation_form", get_generation_form),
        build_open_route(state, "GET", "/get_train_form", get_training_form),
        build_open_route(state, "GET", "/train_form", get_training_form),
        build_open_route(state, "POST", "/upload_img", uploads.upload_one),
        build_open_route(state, "POST", "/upload_imgs", uploads.upload_many),
        build_route(state, "POST", "/task_submit", task_submit.submit, known_names=task_submit.NAMES),
        build_route(state, "POST", "/task_result", task_results.get_result, known_names=task_results.NAMES_OF_ONE),
        build_route(state, "POST", "/task_results", task_results.get_results, known_names=task_results.NAMES_OF_MANY),
        build_route(state, "POST", "/img2txt", describe, known_names=("init_img",)),
        build_route(state, "POST", "/models/base", models.list_bases, known_names=PAGING),
        build_route(state, "POST", "/models/lora", models.list_loras, known_names=PAGING),
        build_route(state, "POST", "/models/private", trainings.list_own, known_names=PAGING),
        build_route(state, "POST", "/cn/artist", models.list_artist_controls),
        build_route(state, "POST", "/cn/opensource", models.list_opensource_controls),
        build_route(state, "POST", "/cn/list", models.list_controls, known_names=("versionid",)),
        build_route(state, "GET", "/cn/list", models.list_controls, known_names=("versionid",)),
        build_route(state, "POST", "/dataset", datasets.create, known_names=datasets.CREATE_NAMES),
        build_route(state, "POST", "/dataset_all", datasets.list_all, known_names=("page", "per_page")),
        build_route(state, "POST", "/dataset/add_images", datasets.add_images, known_names=datasets.CHANGE_NAMES),
        build_route(state, "POST", "/dataset/delete_images", datasets.delete_images, known_names=datasets.CHANGE_NAMES),
        build_route(state, "POST", "/train_submit", trainings.submit, known_names=trainings.SUBMIT_NAMES),
        build_route(state, "POST", "/train_progress", trainings.get_progress, known_names=("task_id",)),
    ]
    return [*endpoints, build_fallback_route(state, {endpoint.path.removeprefix(PREFIX) for endpoint in endpoints})]


async def describe(call: MiaohuaCall) -> MiaohuaApiResponse:
    """A picture in words, at once; any link will do (img2txt.upload_required, img2txt.withdrawn)."""
    if call.switches.img2txt_withdrawn:
        raise MiaohuaHttpError(PARAMETER, "this function is withdrawn and cannot be called")
    source = await call.fetch_source(call.parameters.read_text("init_img"), "init_img", from_anywhere=True)
    description: Any = await call.emulator.run_engine(DESCRIBE, picture=source.data)
    return MiaohuaApiResponse(description)
