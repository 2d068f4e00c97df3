"""``detector forest``: fit a forest from a file of feature rows, and show one. Imports numba and scikit-learn late."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from detector.scorers.artifacts import ForestManifest

app = typer.Typer(help="Fit and show isolation forests.", no_args_is_help=True)


@app.command()
def fit(
    file: Annotated[Path, typer.Argument(help="npz file with one array `x`: rows of features, float32 or float64.")],
    out: Annotated[Path, typer.Option("--out", help="New folder <name>/v<N>, as in models/forests/mine/v1.")],
    columns: Annotated[str, typer.Option(help="Names of the columns, separated by commas.")] = "",
    trees: Annotated[int, typer.Option(min=1, max=1_000, help="Trees.")] = 50,
    samples: Annotated[int, typer.Option(min=2, max=4_096, help="Rows drawn for each tree.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Seed of draws and splits.")] = 0,
) -> None:
    """Fit a forest with scikit-learn and write it, with its manifest and a card, to a new folder."""
    from importlib.metadata import version

    from detector.errors import SetupError
    from detector.scorers.artifacts import ForestManifest, save_forest
    from detector.scorers.forest_fit import fit as fit_forest

    x = read_rows(file)
    names = tuple(name.strip() for name in columns.split(",")) if columns else column_names(x.shape[1])
    if len(names) != x.shape[1]:
        message = f"columns of {file} must be {x.shape[1]} names, got {len(names)}; name every column of x"
        raise SetupError(message)
    try:
        forest = fit_forest(x, trees, samples, seed)
    except ValueError as error:
        message = f"{error}; mend x of {file}"
        raise SetupError(message) from error
    manifest = ForestManifest(
        columns=names, rows=len(x), trees=trees, samples=samples, seed=seed, scikit_learn=version("scikit-learn")
    )
    sealed = save_forest(out, forest, manifest, card_of(out, manifest))
    typer.echo(f"{out}: {trees} trees of depth {forest.depth} on {len(x)} rows of {len(names)}, sha256 {sealed.sha256}")


@app.command()
def show(
    folder: Annotated[Path, typer.Argument(help="Folder <name>/v<N> of a forest.")],
    rows: Annotated[Path | None, typer.Option(help="npz file with an array `x` to score, one line a row.")] = None,
) -> None:
    """Show what a forest is, after checking its files; with --rows, what it says of some rows."""
    import numpy as np

    from detector.errors import SetupError
    from detector.scorers.artifacts import load_forest
    from detector.scorers.forest import rank_evidence, score

    forest, manifest = load_forest(folder)
    typer.echo(manifest.model_dump_json(indent=2))
    low, middle, high = np.quantile(forest.ranks, (0.0, 0.5, 1.0))
    typer.echo(f"training scores: lowest {low:.6f}, median {middle:.6f}, highest {high:.6f}")
    typer.echo(f"largest evidence it can give: {forest.ladder[-1]:.3f}")
    if rows is None:
        return
    x = read_rows(rows).astype(np.float64)
    scores = np.empty(len(x))
    try:
        score(forest, x, scores)
    except ValueError as error:
        message = f"{error}; mend x of {rows}"
        raise SetupError(message) from error
    for value, found in zip(scores, rank_evidence(forest, scores), strict=True):
        typer.echo(f"score {value:.6f} evidence {found:.3f}")


def read_rows(file: Path) -> NDArray[np.floating]:
    """Return the array ``x`` of an npz file.

    Raises
    ------
    SetupError
        If the file has no such array of two axes.
    """
    import zipfile

    import numpy as np

    from detector.errors import SetupError

    wanted = f"x of {file} must be an array of floats with two axes"
    advice = "write it with numpy.savez(file, x=rows)"
    try:
        with np.load(file, allow_pickle=False) as arrays:
            x: NDArray[np.floating] = arrays["x"]
    except OSError as error:
        message = f"{wanted}, got {error.strerror or 'a file that breaks off'}; {advice}"
        raise SetupError(message) from error
    except KeyError as error:
        message = f"{wanted}, got no array of that name; {advice}"
        raise SetupError(message) from error
    except (EOFError, ValueError, IndexError, TypeError, zipfile.BadZipFile) as error:
        # not numpy's own words: they advise to allow pickle
        message = f"{wanted}, got Python objects, or no npz file at all; {advice}"
        raise SetupError(message) from error
    if x.ndim != 2 or not np.issubdtype(x.dtype, np.floating):
        message = f"{wanted}, got {x.dtype} of shape {x.shape}; {advice}"
        raise SetupError(message)
    return x


def column_names(count: int) -> tuple[str, ...]:
    """Return the names of the measures where there are as many columns, else plain numbers."""
    from detector.channels.catalogue import MEASURES

    return MEASURES if count == len(MEASURES) else tuple(f"column_{number}" for number in range(count))


def card_of(folder: Path, manifest: ForestManifest) -> str:
    """Return the first lines of a card; the person who fitted it writes the rest."""
    return (
        f"# {folder.parent.name}/{folder.name}\n\n"
        f"An isolation forest of {manifest.trees} trees, {manifest.samples} rows drawn for each, "
        f"fitted on {manifest.rows} rows of {', '.join(manifest.columns)}.\n\n"
        "Fitted on: say which agents, which days, and why these rows may be called ordinary.\n\n"
        "Does not see: an event that is odd only in what it names (targets, arguments); those are other channels.\n"
    )
