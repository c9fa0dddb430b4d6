# The server with its engine, and what it needs to be one of several: docker build -t atelier . && docker run -i --rm -v atelier:/data atelier
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements-image.lock ./
# An environment of its own is what the second stage takes over, without compilers and caches.
RUN python -m venv /opt/atelier \
    && /opt/atelier/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-image.lock
COPY . .
RUN /opt/atelier/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Atelier" \
      org.opencontainers.image.description="An image studio for LLM agents" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/atelier-mcp/atelier" \
      io.modelcontextprotocol.server.name="io.github.atelier-mcp/atelier"
RUN useradd --uid 10001 --create-home atelier && install -d -o atelier -g atelier -m 0700 /data
COPY --from=build /opt/atelier /opt/atelier
ENV PATH=/opt/atelier/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ATELIER_HOME=/data
# By number: Kubernetes refuses to take a name for somebody who is not root.
USER 10001
VOLUME /data
EXPOSE 8765
ENTRYPOINT ["atelier"]
CMD ["serve"]
