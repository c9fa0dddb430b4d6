"""The Stable Diffusion WebUI family: pictures drawn while the caller waits, one after the other."""
