"""A request is changed by copies with other values; a name it does not have is a defect that shows."""

from __future__ import annotations

import pytest

from atelier_mcp.server.requests.create import GenerateImage


def test_a_copy_has_the_other_value_and_leaves_the_request_alone() -> None:
    request = GenerateImage.model_validate({"prompt": "a kite"})
    assert request.model_copy(update={"seed": 7}).seed == 7
    assert request.seed is None


def test_a_misspelt_name_is_no_silent_loss_of_its_value() -> None:
    with pytest.raises(AttributeError, match="GenerateImage has no field sede"):
        GenerateImage.model_validate({"prompt": "a kite"}).model_copy(update={"sede": 7})
