#!/bin/sh
# Adds Atelier to Claude Code for this user. Without keys it uses the built-in preview engine.
claude mcp add --scope user atelier \
  --env MHAPI_ACCESS_KEY="${MHAPI_ACCESS_KEY:-}" \
  --env MHAPI_SECRET_KEY="${MHAPI_SECRET_KEY:-}" \
  -- atelier serve
