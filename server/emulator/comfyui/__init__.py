"""ComfyUI: workflows queued, carried out one at a time, and kept in a history that a restart forgets."""
