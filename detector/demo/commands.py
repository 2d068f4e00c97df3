"""Commands: demo, broker; heavy imports happen inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode="markdown")


@app.command("demo")
def demo(
    seed: Annotated[int, typer.Option(min=0, help="Seed of fleet and attacks: the same seed is the same story.")] = 1,
    view: Annotated[bool, typer.Option(help="Live view in the terminal; off: lines.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Keep logs and summary in this folder.")] = None,
    agents: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Real agents instead of a made-up fleet, through a real OpenTelemetry Collector: codex, gemini-cli.",
        ),
    ] = None,
) -> None:
    """Watch a fleet, an attack, and the detector catching it.

    Starts a broker (a real one-node Apache Kafka, fetched once; see DETECTOR_BROKER and KAFKA_BOOTSTRAP) and a worker
    in enforce mode, publishes the registry of a simulated fleet, feeds the fleet's history, and then lets it run live.
    Five agents are led astray, which is learned from what they do; four things go wrong against the registry, which
    rules tell: a temporary grant that outlives its term, a stale credential, an unregistered clone, a lateral path.
    Ends by itself within three minutes, set-up apart.

    Exit status 1 if one of the five was not found by what was learned, one of the four not by its rule, the
    exfiltrating agent was not quarantined, alarms went over the budget, a rule of the registry told of a harmless
    agent, or time ran out; 2 if something could not be started.

    With `--agents` a real program, Codex CLI or Gemini CLI, is connected, works, does one odd thing and is denied its
    next tool call; `codex,gemini-cli` is both, one after the other. It needs Node.js and Go, fetches what it runs once,
    and needs no account: a script on loopback is its model.
    """
    from detector.demo.run import DemoOptions, run_demo

    end_on_signals()
    if agents is not None:
        from detector.demo.agents import AgentsOptions
        from detector.demo.agents_run import named_programs, run_agents_demo

        options = AgentsOptions(seed=seed, keep=keep)
        raise typer.Exit(run_agents_demo(named_programs(agents), options, is_json=as_json))
    raise typer.Exit(run_demo(DemoOptions(seed=seed, has_view=view, is_json=as_json, keep=keep)))


@app.command("broker")
def broker(
    folder: Annotated[Path, typer.Option(help="Data, configuration and logs; kept.")] = Path(".kafka"),
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port on 127.0.0.1.")] = 9092,
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of the event topics made.")] = 4,
) -> None:
    """Run a local one-node Kafka with the product's topics until interrupted."""
    import signal

    from detector.local.kafka import LocalKafka
    from detector.schema.topics import TopicNames
    from detector.worker.topics import create_topics, topic_specs

    def say(text: str) -> None:
        typer.echo(text, err=True)

    end_on_signals()
    with LocalKafka(folder, port, say) as node:
        create_topics({"bootstrap.servers": node.bootstrap}, topic_specs(TopicNames(), partitions))
        typer.echo(f"{node.bootstrap}  ready; Ctrl-C stops it, the data stay in {node.folder}")
        try:
            signal.pause()
        except KeyboardInterrupt:
            say("Apache Kafka: stopping")


def end_on_signals() -> None:
    """Let SIGINT and SIGTERM end the command and clean up, also when a shell's ``nohup`` or ``&`` ignored SIGINT."""
    import signal

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
