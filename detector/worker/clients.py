"""One set of credentials in the three spellings of the Kafka clients."""

from __future__ import annotations

import ssl
from typing import Any

from detector.errors import SetupError
from detector.worker.settings import WorkerSettings


def confluent_options(settings: WorkerSettings) -> dict[str, Any]:
    """Return settings for a confluent-kafka client (admin calls, small tools)."""
    options: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap,
        "security.protocol": settings.security_protocol,
        "log_level": 0,
        "error_cb": lambda _: None,  # told through the call that fails
    }
    if settings.security_protocol.startswith("SASL") and settings.sasl_password is not None:
        options["sasl.mechanism"] = settings.sasl_mechanism
        options["sasl.username"] = settings.sasl_username
        options["sasl.password"] = settings.sasl_password.get_secret_value()
    files = {
        "ssl.ca.location": settings.ssl_ca,
        "ssl.certificate.location": settings.ssl_certificate,
        "ssl.key.location": settings.ssl_key,
    }
    return options | {name: str(path) for name, path in files.items() if path is not None}


def aiokafka_options(settings: WorkerSettings) -> dict[str, Any]:
    """Return settings for a bare aiokafka client (reading checkpoints and policy to their end)."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap,
        "security_protocol": settings.security_protocol,
        "ssl_context": ssl_context(settings),
    }
    if settings.security_protocol.startswith("SASL") and settings.sasl_password is not None:
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password.get_secret_value()
    return options


def faust_credentials(settings: WorkerSettings) -> Any:  # noqa: ANN401 - Faust's own class, imported late
    """Return Faust's credentials, None without security."""
    import faust

    context = ssl_context(settings)
    if settings.security_protocol.startswith("SASL") and settings.sasl_password is not None:
        return faust.SASLCredentials(
            username=settings.sasl_username,
            password=settings.sasl_password.get_secret_value(),
            mechanism=settings.sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None


def ssl_context(settings: WorkerSettings) -> ssl.SSLContext | None:
    """Return the TLS context (1.2 at least), None for a protocol without TLS.

    Raises
    ------
    SetupError
        A PEM file is missing or unusable.
    """
    if not settings.security_protocol.endswith("SSL"):
        return None
    try:
        context = ssl.create_default_context(cafile=str(settings.ssl_ca) if settings.ssl_ca else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.ssl_certificate is not None and settings.ssl_key is not None:
            context.load_cert_chain(str(settings.ssl_certificate), str(settings.ssl_key))
    except (OSError, ssl.SSLError) as exc:
        raise SetupError(
            f"ssl_ca, ssl_certificate and ssl_key of the settings must be readable PEM files, got {exc}: correct them"
        ) from exc
    return context
