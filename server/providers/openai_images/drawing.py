"""What both operations have in common: the model, its size, the options it takes, and the calls that draw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import AtelierError, ConfigurationError, InvalidRequest, SubmitUnconfirmed
from atelier_mcp.server.images.exchange import DeliveryMethod, ImageRule
from atelier_mcp.server.providers.base import TaskFailed, TaskSucceeded
from atelier_mcp.server.providers.openai_images.advanced import get_options
from atelier_mcp.server.providers.openai_images.answers import DrawingAnswer, to_outcome
from atelier_mcp.server.providers.openai_images.models import find_model
from atelier_mcp.server.providers.openai_images.payload import build_call
from atelier_mcp.server.providers.openai_images.prices import expect_tokens, find_price

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.providers.base import SubmitCall
    from atelier_mcp.server.providers.openai_images.model_list import OpenaiModelList
    from atelier_mcp.server.providers.openai_images.models import OpenaiModel
    from atelier_mcp.server.providers.openai_images.payload import DrawingFields
    from atelier_mcp.server.providers.openai_images.servers import ServerDialect
    from atelier_mcp.server.providers.openai_images.session import OpenaiSession
    from atelier_mcp.server.providers.openai_images.size_rules import SizeRule
    from atelier_mcp.server.providers.price import Price
    from atelier_mcp.server.requests.create import GenerateImage
    from atelier_mcp.server.requests.edit import InpaintImage

SOURCE_RULE: Final = ImageRule(
    min_side_px=16,
    max_side_px=8192,
    # As a data URL it must keep under 20,971,520 characters (contract: conventions.limits).
    max_bytes=15_000_000,
    deliveries=(DeliveryMethod.BASE64,),
    keeps_transparency=True,
)


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """A model at a server, with what is known of it."""

    id: str
    known: OpenaiModel | None
    sizes: SizeRule | None
    is_checked: bool = True
    """The server lists it, or its name need not be looked up."""


class OpenaiDrawing:
    """Plans and makes the calls of one endpoint."""

    def __init__(self, session: OpenaiSession, model_list: OpenaiModelList, *, default_model: str) -> None:
        """``default_model`` is what the operator has set; may be empty."""
        self.session = session
        self.server: ServerDialect = session.server
        self._model_list = model_list
        self.default_model: str = default_model or session.server.default_model
        """What is drawn with where a call names nothing; may be empty."""

    async def choose_model(self, asked: str | None) -> ChosenModel:
        """The caller's, the operator's, the server's own, or the first it lists.

        A name that is not listed is tried all the same: the list informs, it does not forbid (contract:
        models.incomplete). Raises ``ConfigurationError`` where there is nothing to choose from.
        """
        model_id = asked or self.default_model or await self._find_first()
        model = self.get_model(model_id)
        if not asked or asked == self.default_model or model.known is not None:
            return model
        return replace(model, is_checked=await self._model_list.has(asked))

    def get_model(self, model_id: str) -> ChosenModel:
        """A model that was chosen, with what is known of it here."""
        known = find_model(model_id) if self.server.has_openai_options else None
        return ChosenModel(model_id, known, self.server.find_sizes(model_id, known.sizes if known else None))

    async def _find_first(self) -> str:
        models = await self._model_list.load()
        if not models:
            raise ConfigurationError(
                f"{self.session.client.service} lists no model that draws.",
                hint=f"Set OPENAI_IMAGE_MODEL{self.session.suffix}.",
            )
        return models[0].id

    def check_wishes(self, request: GenerateImage | InpaintImage, model: ChosenModel) -> None:
        """Raise ``InvalidRequest`` for what the server or the model does not have."""
        server, service, options = self.server, self.session.client.service, get_options(request.advanced)
        known = model.known
        lacks = {
            "negative_prompt": bool(request.negative_prompt) and not server.negative,
            "seed": request.seed is not None and not server.seed_field,
            "steps": request.steps is not None and not server.steps_field,
            "guidance": request.guidance is not None and not server.guidance_field,
            "enhance_prompt": request.enhance_prompt and not server.strict_prompt_field,
            "image": bool(request.image) and not server.takes_images,
            "advanced.quality": bool(options.quality) and not server.has_quality,
            "advanced.background": bool(options.background) and not server.has_background,
            "advanced.file_format": bool(options.file_format) and options.file_format not in server.output_formats,
            "advanced.compression": options.compression is not None and not server.has_openai_options,
            "advanced.complexity": bool(options.complexity) and not (known and known.has_complexity),
            "advanced.input_fidelity": bool(options.input_fidelity)
            and not (known and options.input_fidelity in known.fidelities),
            "advanced.moderation": bool(options.moderation) and not server.has_openai_options,
        }
        if names := [name for name, is_missing in lacks.items() if is_missing]:
            raise InvalidRequest(f"{', '.join(names)}: {service} does not have that.", hint="Leave it out.")
        if known is None:
            return
        if options.quality and options.quality not in known.qualities:
            raise InvalidRequest(f"advanced.quality: {model.id} has {', '.join(known.qualities)}.")
        if options.background == "transparent" and not known.is_transparent:
            raise InvalidRequest(f"advanced.background: {model.id} draws nothing transparent.")
        if len(request.prompt) > known.prompt_chars:
            raise InvalidRequest(f"prompt: {model.id} takes at most {known.prompt_chars:,} characters.")
        if request.image and not known.has_edits:
            raise InvalidRequest(f"image: {model.id} draws from words alone.", hint="Choose another model.")

    def build_options(self, request: GenerateImage | InpaintImage, model: ChosenModel) -> dict[str, Any]:
        """What is sent of the options, by its names on the wire: only what was asked for and is allowed."""
        options, server = get_options(request.advanced), self.server
        file_format = options.file_format or ("png" if request.format == "png" else "jpeg")
        if options.background == "transparent" and file_format == "jpeg":
            file_format = "png"
        has_format = file_format in server.output_formats and (model.known is None or model.known.has_output_format)
        named = {
            "quality": options.quality,
            "background": options.background,
            # PNG is what comes when nothing is said.
            "output_format": file_format if has_format and file_format != "png" else None,
            "output_compression": options.compression,
            "complexity": options.complexity,
            "input_fidelity": options.input_fidelity if request.image else None,
            "moderation": options.moderation,
        }
        return {name: value for name, value in named.items() if value is not None}

    def find_price(self, model: ChosenModel) -> Price | None:
        """What the model is known to cost at this server."""
        return find_price(self.server.id, model.id)

    def expect_tokens(
        self, request: GenerateImage | InpaintImage, size: Size | None, *, source_count: int
    ) -> dict[str, int]:
        """How many tokens it will take, drawn at ``size`` from so many pictures."""
        return expect_tokens(
            prompt=request.prompt,
            quality=get_options(request.advanced).quality,
            size=size,
            image_count=request.samples,
            source_count=source_count,
        )

    def allows_stream(self, model: ChosenModel, count: int) -> bool:
        """Only of one picture: how several come in one stream is not said (contract: stream.n)."""
        return self.server.streams and count == 1 and (model.known is None or model.known.streams)

    async def draw(self, drawing: DrawingFields, model: ChosenModel, call: SubmitCall) -> TaskSucceeded | TaskFailed:
        """All the pictures, in as many calls as the server needs.

        What an earlier call drew is kept when a later one fails.
        """
        whole, missing_count = DrawingAnswer(), drawing.count
        n_max = min(self.server.n_max, model.known.n_max if model.known else self.server.n_max)
        while missing_count > 0:
            count = min(missing_count, n_max)
            part = replace(drawing, count=count, seed=_advance(drawing.seed, drawing.count - missing_count))
            try:
                came = await self._draw_once(part, model, call)
            except AtelierError as err:
                if not whole.outputs:
                    raise
                whole.reasons += [_format_failure(err)] * missing_count
                break
            if isinstance(came, TaskFailed):
                if not whole.outputs:
                    return came
                whole.reasons += [came.reason.message] * missing_count
                break
            _merge(whole, came)
            missing_count -= count
        return self._finish(whole)

    async def _draw_once(
        self, drawing: DrawingFields, model: ChosenModel, call: SubmitCall
    ) -> DrawingAnswer | TaskFailed:
        drawing_call = build_call(self.server, model.sizes, drawing)
        came = await self.session.draw(drawing_call, job_id=call.job_id, report=call.report)
        if isinstance(came, DrawingAnswer):
            if not came.outputs:
                outcome = to_outcome(came, client=self.session.client)
                assert isinstance(outcome, TaskFailed)  # noqa: S101  # for the type checker
                return outcome
            came.reasons += ["the service sent fewer pictures"] * (
                drawing.count - len(came.outputs) - len(came.reasons)
            )
        return came

    def _finish(self, answer: DrawingAnswer) -> TaskSucceeded | TaskFailed:
        outcome = to_outcome(answer, client=self.session.client)
        if isinstance(outcome, TaskFailed):
            return outcome
        remarks = self.session.client.clean("; ".join(answer.remarks))
        return replace(outcome, data=_build_data(answer) | ({"remarks": remarks} if remarks else {}))


def _build_data(answer: DrawingAnswer) -> dict[str, Any]:
    data: dict[str, Any] = {"usage": dict(answer.usage)} if answer.usage else {}
    if answer.revised_prompt:
        data["revised_prompt"] = answer.revised_prompt
    return data


def _merge(whole: DrawingAnswer, part: DrawingAnswer) -> None:
    whole.outputs += part.outputs
    whole.reasons += part.reasons
    whole.is_blocked |= part.is_blocked
    whole.revised_prompt = whole.revised_prompt or part.revised_prompt
    whole.remarks += [remark for remark in part.remarks if remark not in whole.remarks]
    whole.usage = _add_counts(whole.usage, part.usage)


def _add_counts(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The sum of two usages, name by name."""
    total = dict(one)
    for name, value in other.items():
        known = total.get(name)
        if isinstance(value, dict):
            total[name] = _add_counts(known if isinstance(known, dict) else {}, value)  # pyright: ignore[reportUnknownArgumentType]  # any JSON
        else:
            total[name] = value + known if isinstance(value, int) and isinstance(known, int) else value
    return total


def _advance(seed: int | None, by: int) -> int | None:
    return None if seed is None else seed + by


def _format_failure(err: AtelierError) -> str:
    return "its answer was lost" if isinstance(err, SubmitUnconfirmed) else err.message
