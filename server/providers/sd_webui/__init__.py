"""A Stable Diffusion WebUI of the user's own: AUTOMATIC1111, Forge, reForge, SD.Next, stable-diffusion.cpp."""
