"""Policy engines of others that tests ask: Open Policy Agent as a program, skipped aloud without; Cedar as a wheel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from detector.local.cache import cache_dir, cache_lock

OPA = "github.com/open-policy-agent/opa@v1.4.2"
BUILD_S = 900.0


def opa_command() -> str:
    """Return the program: on the PATH, or built once from Go modules into the cache folder, in about two minutes."""
    if found := shutil.which("opa"):
        return found
    folder = cache_dir() / f"opa-{OPA.rpartition('@')[2]}"
    folder.mkdir(exist_ok=True)
    with cache_lock(folder):
        if not (folder / "opa").exists():
            go = shutil.which("go")
            if go is None:
                pytest.skip("needs Open Policy Agent, or Go to build it")
            made = subprocess.run(
                [go, "install", OPA],
                env={**os.environ, "GOBIN": str(folder)},
                timeout=BUILD_S,
                capture_output=True,
                check=False,
            )
            if made.returncode:
                pytest.skip(f"needs Open Policy Agent, which could not be built: {made.stderr[-200:]!r}")
    return str(folder / "opa")


def ask_opa(folder: Path, questions: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Return what OPA answers to each question, all in one run, from a folder with data and policy."""
    (folder / "questions.json").write_text(json.dumps({"questions": list(questions)}), encoding="utf-8")
    query = "[answer | some one in data.questions; answer := data.agent_registry_policy.allow with input as one]"
    command = [opa_command(), "eval", "--format=raw", "--data", str(folder), "--stdin-input", query]
    done = subprocess.run(command, input=b"{}", capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    answers: list[bool] = json.loads(done.stdout)
    return answers


def ask_cedar(cedarpy: Any, policies: str, questions: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Return what Cedar, a module, answers to each question."""
    asked = []
    for one in questions:
        context = {name: value for name, value in one.items() if name not in {"tenant", "agent_id", "at"}}
        who = {"type": "Agent", "id": f"{one.get('tenant', 'default')}/{one['agent_id']}"}
        asked.append(
            {
                "principal": who,
                "action": {"type": "Action", "id": "act"},
                "resource": {"type": "Any", "id": "any"},
                "context": context,
            }
        )
    found = cedarpy.is_authorized_batch(asked, cedarpy.PolicySet.from_str(policies), [])
    assert not any(one.diagnostics.errors for one in found), [one.diagnostics.errors for one in found]
    return [one.allowed for one in found]
