"""Requests that talk: a conversation goes in whole, and words or a picture come back."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, WithJsonSchema, model_validator

from atelier_mcp.server.requests.base import Request, RequestModel

MAX_MESSAGES = 1000
MAX_MESSAGE_CHARACTERS = 100_000
SAMPLING_FIELDS = frozenset({"temperature", "top_p", "max_tokens", "repetition_penalty"})
"""How words are chosen; of little use where a picture is wanted."""
DRAWING_FIELDS = frozenset({"width", "height", "model", "seed", "steps", "guidance", "enhance_prompt"})
"""How a picture is drawn; generate_image offers all of it."""

MessageText = Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE_CHARACTERS), WithJsonSchema({"type": "string"})]
"""Bounded when they are read; in the schema their kind says enough."""


class ChatMessage(RequestModel):
    """What one side said."""

    role: Literal["user", "assistant"] = Field(description="Who")
    content: MessageText = Field(description="Words")

    @classmethod
    def expand_text(cls, text: str) -> dict[str, Any]:
        """What the user says."""
        return {"role": "user", "content": text}


class Chat(Request):
    """An answer in words to a conversation."""

    capability: ClassVar[str] = "chat"

    messages: tuple[ChatMessage, ...] = Field(description="Oldest first")
    temperature: float | None = Field(None, ge=0, le=2, description="Variety (0.8)")
    top_p: float | None = Field(None, ge=0, le=1, description="Share of likely words (0.7)")
    max_tokens: int | None = Field(None, ge=1, description="Longest answer (2048)")
    repetition_penalty: float | None = Field(None, gt=0, description="Above 1: fewer repeats")

    @model_validator(mode="after")
    def _require_final_user_message(self) -> Self:
        if not 1 <= len(self.messages) <= MAX_MESSAGES:
            raise ValueError(f"messages: there must be from 1 to {MAX_MESSAGES}, not {len(self.messages)}")
        last = self.messages[-1]
        if last.role != "user":
            raise ValueError("messages: the last one must be the user's, for it is what is answered")
        if not last.content.strip():
            raise ValueError("messages: the last one is blank")
        return self

    def image_count(self) -> int:
        """Nothing: no picture is made."""
        return 0


class ChatWithImage(Chat):
    """An answer to a conversation: a picture when the last message asks for one, else words."""

    capability: ClassVar[str] = "chat_with_image"
    hidden_fields: ClassVar[frozenset[str]] = SAMPLING_FIELDS | DRAWING_FIELDS

    draw: bool = Field(True, description="false: only tell if it would")
    width: int = Field(960, ge=640, le=6000, description="Pixels")
    height: int = Field(960, ge=640, le=6000, description="Pixels")
    model: str | None = Field(None, min_length=1, max_length=200, description="Drawing model's name")
    seed: int | None = Field(None, ge=0, le=99_999_998, description="Same seed, same picture")
    steps: int | None = Field(None, ge=1, le=70, description="Sampling steps (50)")
    guidance: int | None = Field(None, ge=1, le=20, description="Prompt adherence (7)")
    enhance_prompt: bool = Field(False, description="Let the service extend it")

    def image_count(self) -> int:
        """One where a picture may be drawn: whether it will be is the service's decision."""
        return 1 if self.draw else 0
