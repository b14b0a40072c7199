# Headwater in a container: docker build -t headwater . && docker run -p 4437:4437 -v headwater:/data headwater
# Works with --read-only --cap-drop=ALL --security-opt=no-new-privileges: only /data is written.

FROM oven/bun:1.4.5-debian AS build
WORKDIR /src
COPY package.json bun.lock bunfig.toml tsconfig.json ./
RUN bun install --frozen-lockfile --production --ignore-scripts
COPY src src
COPY scripts scripts
# git is not in the context; give it with --build-arg REVISION=$(git rev-parse --short=12 HEAD).
ARG REVISION=container
RUN HEADWATER_REVISION="$REVISION" bun scripts/build.ts --outfile /out/headwater \
 && install -d -m 0700 -o 65532 -g 65532 /out/data

# glibc and nothing else: no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG REVISION=container
LABEL org.opencontainers.image.title="Headwater" \
      org.opencontainers.image.description="A complete Durable Streams server over sharded SQLite" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/headwater /usr/local/bin/headwater
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
WORKDIR /data
VOLUME /data
# Beyond loopback the server starts only with stream_apis in /data/config.textproto, or with DS_HTTP__ALLOW_OPEN_STREAMS=true.
ENV DEPOT=/data \
    DS_SERVER__BIND_ADDRESS=0.0.0.0:4437
EXPOSE 4437
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --start-interval=1s CMD ["/usr/local/bin/headwater", "health", "--ready"]
ENTRYPOINT ["/usr/local/bin/headwater"]
CMD ["serve"]
