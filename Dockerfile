# The gateway's image: nothing but the binary, the libraries that it needs, certificates of public
# authorities and licence texts. No shell, no package manager, no root.
#
#   docker build -t tideway .
#   docker run -p 8443:8443 -e SSE_PUBLISHER_API_KEYS=change-me tideway
FROM docker.io/library/debian:bookworm-slim AS build
WORKDIR /src
# Packages and the library's source first: they stay in the cache while Tideway's own source changes.
COPY dev ./
COPY tools ./tools
COPY deps ./deps
RUN ./dev deps build ui
COPY . .
# UI=OFF leaves the admin UI out. Node.js trusts what the system trusts.
ARG UI=
RUN export NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt; UI=$UI ./dev build && packaging/image-root build/tideway /image

FROM scratch
COPY --from=build /image /
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tideway" \
      org.opencontainers.image.description="A Server-Sent-Events gateway" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# A container's own loopback is of no use to anybody outside of it.
ENV TIDEWAY_LISTEN=0.0.0.0:8443 \
    TIDEWAY_OPS_LISTEN=0.0.0.0:9090
EXPOSE 8443 9090
USER 65532:65532
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["/usr/bin/tideway", "healthcheck"]
ENTRYPOINT ["/usr/bin/tideway"]
