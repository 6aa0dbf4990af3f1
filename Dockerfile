# The server with its gallery. Needs no build arguments:  docker build -t fixative .
FROM node:24-bookworm-slim AS build
WORKDIR /opt/fixative
COPY . .
# The install also generates the client of the database, prepares the first start and builds the gallery.
RUN npm ci && npm prune --omit=dev --ignore-scripts

FROM node:24-bookworm-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/fixative fixative \
  && install -d -o fixative -g fixative -m 0700 /var/lib/fixative
WORKDIR /opt/fixative
COPY --from=build /opt/fixative ./
ENV HOST=0.0.0.0 DATA_DIR=/var/lib/fixative
USER 10001
VOLUME /var/lib/fixative
EXPOSE 4000
HEALTHCHECK --start-period=60s --interval=10s --timeout=5s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT ?? 4000}/ready`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "src/main.ts"]
CMD ["serve"]
