"""What can be asked: one provider-neutral pydantic model per capability, by family."""
