"""X1·X2 and its pure parts over the square, for every dependence of the inputs."""

from __future__ import annotations

import pandas as pd
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

COLUMNS = {
    "weight": "weight of the cell (root scale)",
    "raw": "$Y = X_1 X_2$",
    "pure": "pure interaction",
    "main1": "main effect of $X_1$",
    "main2": "main effect of $X_2$",
}


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A row per rho: weights as an image, the rest as surfaces, all on one scale."""
    cells = table[(table["part"] == "square") & (table["repeat"] == 0)]
    rhos = list(dict.fromkeys(cells["rho"]))
    figure = Figure(figsize=(3.1 * len(COLUMNS), 3.1 * len(rhos)), layout="constrained")
    for i, rho in enumerate(rhos):
        of_rho = cells[cells["rho"] == rho]
        for j, (column, title) in enumerate(COLUMNS.items()):
            place = (len(rhos), len(COLUMNS), i * len(COLUMNS) + j + 1)
            if column == "weight":
                ax = figure.add_subplot(*place)
                _image(ax, of_rho)
                ax.set_ylabel(
                    f"$\\rho$ = {rho:g}, correlation {of_rho['correlation'].iloc[0]:.2f}\n$X_2$"
                )
            else:
                ax = figure.add_subplot(*place, projection="3d")
                _surface(ax, of_rho, column)
            ax.set_title(title if i == 0 else "", fontsize=12)
    return {"pure_interaction": figure}


def _image(ax: object, cells: pd.DataFrame) -> None:
    grid = cells.pivot_table("weight", "x2", "x1")
    ax.imshow(grid, origin="lower", extent=(-1, 1, -1, 1), cmap="Greys", norm=PowerNorm(0.5))
    ax.set_xlabel("$X_1$")
    ax.set_xticks([-1, 0, 1])
    ax.set_yticks([-1, 0, 1])


def _surface(ax: object, cells: pd.DataFrame, column: str) -> None:
    ax.plot_trisurf(
        cells["x1"],
        cells["x2"],
        cells[column],
        cmap="coolwarm",
        vmin=-1,
        vmax=1,
        linewidth=0,
        antialiased=True,
    )
    ax.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1))
    ax.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1], zticks=[-1, 0, 1])
    ax.tick_params(labelsize=8, pad=-2)
    ax.set_xlabel("$X_1$", labelpad=-6)
    ax.set_ylabel("$X_2$", labelpad=-6)
