# The server alone: it uses the PostgreSQL that DATABASE_URL names; see docker-compose.yml.
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin temwen

FROM debian:bookworm-slim
RUN groupadd --system --gid 10001 temwen \
    && useradd --system --uid 10001 --gid temwen --no-create-home --shell /usr/sbin/nologin temwen \
    && install -d -o temwen -g temwen -m 0700 /data
COPY --from=build /build/target/release/temwen /usr/local/bin/temwen
# Whom to trust with https, such as witnesses of the log.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /build/LICENSE /usr/share/doc/temwen/LICENSE
USER temwen
# The keys live here; the database does not.
VOLUME /data
ENV TEMWEN_DATA_DIR=/data TEMWEN_LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
# The image has no HTTP client, but its shell can ask.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /ready HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["temwen"]
CMD ["serve"]
