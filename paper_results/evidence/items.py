"""The paper's figures and tables in order, then the lecture's: which run makes each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pandas as pd

from . import bike, distillation, documents, laws, learning, noise, uncertainty


@dataclass(frozen=True)
class Item:
    """A figure or table, the experiment that makes it, and its points as published and as ours.

    `protocols` are those under which the experiment is shown; `look` names a way of drawing
    (figures/published.py). `published` is None where nothing was published as numbers. `ours` maps
    the run's table to points, none where a protocol measures something else. `picture` is the
    run's picture to show, where that is not its first.
    """

    name: str
    title: str
    experiment: str
    protocols: tuple[str, ...]
    look: str
    published: Callable[[], pd.DataFrame] | None
    ours: Callable[[pd.DataFrame], pd.DataFrame] | None
    remark: str = ""
    picture: str = ""

    @property
    def slug(self) -> str:
        """The name as files have it: "fig_c1"."""
        return self.name.lower().replace(" ", "_").replace(".", "").replace(",", "")


ALL = (
    Item(
        name="Fig 1",
        title="Conditional mean of a product of k inputs under input dropout",
        experiment="conditional_mean",
        protocols=("released", "controlled"),
        look="curves",
        published=laws.fig_1_published,
        ours=laws.fig_1_ours,
    ),
    Item(
        name="Fig 2",
        title="Size of the first update under dropout",
        experiment="effective_learning_rate",
        protocols=("released",),
        look="medians",
        published=laws.fig_2_published,
        ours=laws.fig_2_ours,
        remark="As released, but on ten data sets of ten starts each for 1000 repeats, which would "
        "take five hours of a core. Every network has a start of its own, as it has in the "
        "notebook. Errors are what the median of one more data set may differ by: the first step "
        "on a product of inputs follows what the sample holds of lower orders by chance.",
    ),
    Item(
        name="Fig 3",
        title="Effects that survive dropout, of 25 inputs",
        experiment="surviving_effects",
        protocols=("released", "controlled"),
        look="survivors",
        published=laws.fig_3_published,
        ours=laws.fig_3_ours,
    ),
    Item(
        name="Fig 4",
        title="Distillation of pure products by boosted trees",
        experiment="distillation_accuracy",
        protocols=("text", "controlled"),
        look="distillation",
        published=distillation.fig_4_published,
        ours=distillation.fig_4_ours,
    ),
    Item(
        name="Fig 5",
        title="Networks of width 32 fit to pure noise",
        experiment="pure_noise",
        protocols=("released", "text", "controlled"),
        look="bars by rate",
        published=partial(noise.bars_published, "fig5"),
        ours=partial(noise.bars_ours, width=32),
        remark="Ours by 1000 steps, as published: E13. Pane f comes from the saved rule: E7.",
    ),
    Item(
        name="Fig 6",
        title="Bike sharing: errors and orders over training",
        experiment="bike_share",
        protocols=("released", "controlled"),
        look="epochs",
        published=bike.fig_6_published,
        ours=bike.fig_6_ours,
    ),
    Item(
        name="Fig 7",
        title="Orders over training, three generators",
        experiment="learning_curves",
        protocols=("released", "text", "controlled"),
        look="epochs",
        published=learning.fig_7_published,
        ours=learning.fig_7_ours,
    ),
    Item(
        name="Fig 8",
        title="Weight decay on pure noise",
        experiment="weight_decay",
        protocols=("text", "controlled"),
        look="bars by decay",
        published=noise.fig_8_published,
        ours=noise.fig_8_ours,
        remark="The text's decays join the gradient of the released loss, which is 3/8 of the mean "
        "squared error: 8/3 of their size beside the latter.",
    ),
    Item(
        name="Fig 9",
        title="Predictions and uncertainties by order",
        experiment="dropout_uncertainty",
        protocols=("released", "controlled"),
        look="densities",
        published=uncertainty.fig_9_published,
        ours=uncertainty.fig_9_ours,
        remark="Published curves are read where the axes do not cut them.",
    ),
    Item(
        name="Fig A.1",
        title="Purification of X1·X2 under dependent inputs",
        experiment="pure_interaction",
        protocols=("released", "controlled"),
        look="",
        published=None,
        ours=None,
        remark="Published as surfaces, of which no numbers could be read.",
    ),
    Item(
        name="Fig C.1",
        title="Networks of width 128 fit to pure noise",
        experiment="pure_noise",
        protocols=("released", "text", "controlled"),
        look="bars by rate",
        published=partial(noise.bars_published, "figC1"),
        ours=partial(noise.bars_ours, width=128),
        remark="Its panes g to i are the totals over those at r = 0 (i is not: E7).",
        picture="pure_noise_128",
    ),
    Item(
        name="Table C.1",
        title="20 Newsgroups with a planted class of order k",
        experiment="newsgroups",
        protocols=("released", "text", "controlled"),
        look="accuracy",
        published=documents.table_c1_published,
        ours=documents.table_c1_ours,
    ),
)


def _lecture(name: str, title: str, experiment: str, picture: str = "") -> Item:
    """Nothing was published: the run speaks for itself."""
    return Item(
        name,
        title,
        experiment,
        ("controlled",),
        look="",
        published=None,
        ours=None,
        picture=picture or experiment,
    )


LECTURE = (
    _lecture(
        "Lecture, importance",
        "The variance learned, by order, against the rate, early and late",
        "regularizers",
        "importance",
    ),
    _lecture("Lecture, every layer", "Orders of the map from each hidden layer", "every_layer"),
    _lecture("Lecture, digits", "A classifier of digits with and without dropout", "digits"),
    _lecture("Lecture, ensemble", "The average of all subnetworks", "subnetworks"),
    _lecture("Lecture, co-adaptation", "Weights and units against the rate", "co_adaptation"),
    _lecture("Lecture, regularizers", "Which act on order, which only shrink", "regularizers"),
    _lecture("Advice", "The best rate by true order and noise", "best_rate"),
)
"""What the lecture that the project starts from shows, beyond the paper."""
