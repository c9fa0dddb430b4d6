"""ComfyUI: a server of the user's own, or Comfy Cloud."""
