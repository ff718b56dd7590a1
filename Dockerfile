# syntax=docker/dockerfile:1
# A desk in an image: no root, no package manager's leavings, nothing that is written outside /var/lib/nightdesk and /tmp.
# What is installed, and how, is packaging/install.sh alone. How to run it: compose.yaml, docs/deploy.md.
FROM debian:bookworm-slim AS builder
RUN --mount=type=bind,target=/src --mount=type=cache,target=/var/cache/uv /src/packaging/install.sh build /src

FROM debian:bookworm-slim
RUN --mount=type=bind,source=packaging,target=/packaging /packaging/install.sh run
COPY --from=builder /usr/local/lib/nightdesk /usr/local/lib/nightdesk
ENV PATH=/usr/local/lib/nightdesk/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/var/lib/nightdesk \
    LANG=C.UTF-8 \
    NIGHTDESK_HOME=/var/lib/nightdesk/desk
USER 10001:10001
WORKDIR /var/lib/nightdesk
VOLUME /var/lib/nightdesk
STOPSIGNAL SIGTERM
# The first start makes a home and replays 30 days; the API answers some seconds after it began.
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 CMD ["python", "-I", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ.get('NIGHTDESK_API_PORT', '8420') + '/api/health', timeout=4)"]
CMD ["nightdesk", "up"]
