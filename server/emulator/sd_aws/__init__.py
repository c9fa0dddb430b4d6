"""The Stable Diffusion middleware on AWS in both its generations, below one address."""
