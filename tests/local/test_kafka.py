"""A local broker is ours or none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.errors import SetupError
from detector.local.embedded import EmbeddedBroker
from detector.local.kafka import LocalKafka


@pytest.fixture
def stranger() -> Iterator[int]:
    """Return the port of a broker that is not ours."""
    with EmbeddedBroker() as broker:
        yield int(broker.bootstrap.split(",")[0].rsplit(":", 1)[1])


def test_a_port_that_is_taken_is_refused_before_anything_starts(tmp_path: Path, stranger: int) -> None:
    """Or the product's topics would be made on a stranger's broker."""
    node = LocalKafka(tmp_path / "k", stranger)
    with pytest.raises(SetupError, match=rf"port of the local Kafka must be free, got {stranger} \(Address already"):
        node.start()
    assert not (tmp_path / "k").exists()


def test_the_port_kept_in_the_folder_is_the_one_that_must_be_free(tmp_path: Path, stranger: int) -> None:
    """A folder used before brings its port along."""
    kept = f"advertised.listeners=PLAINTEXT://127.0.0.1:{stranger}\n"
    (tmp_path / "server.properties").write_text(kept)
    with pytest.raises(SetupError, match=f"got {stranger} "):
        LocalKafka(tmp_path).start()


@pytest.mark.integration
def test_a_node_of_another_cluster_is_not_taken_for_ours(tmp_path: Path, stranger: int) -> None:
    """Whoever was quicker to the port answers; its cluster id is not the one that was formatted here."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=1\ncluster.id=Aours\nnode.id=1\n")
    starting = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    try:
        with pytest.raises(SetupError, match=r"must be the one started \(cluster Aours\), got cluster "):
            LocalKafka(tmp_path, stranger)._wait_until_it_answers(starting)
    finally:
        starting.kill()
        starting.wait()
