"""What ComfyUI does, a file for each capability."""
