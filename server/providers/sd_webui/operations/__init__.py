"""What a WebUI does: one class for each capability, with its plan and its call."""
