# syntax=docker/dockerfile:1
# Builds the executable, and an image with nothing but it and the certificates for S3.
FROM rust:1.95-bookworm AS build
# The assembler of the AVIF encoder, three times faster with it.
RUN apt-get update && apt-get install -y --no-install-recommends nasm && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked -p stowage --features asm && cp target/release/stowage /stowage
RUN mkdir -p /empty/data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /stowage /usr/local/bin/stowage
# A named volume takes over the owner of the folder that it covers.
COPY --from=build --chown=nonroot:nonroot /empty/data /data
ENV STOWAGE_DATA_DIR=/data \
    STOWAGE_SERVER__LISTEN=0.0.0.0:8080
VOLUME /data
EXPOSE 8080
USER nonroot
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["/usr/local/bin/stowage", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/stowage"]
CMD ["serve"]
