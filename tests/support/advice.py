"""A vocabulary with actions of both forms: steps on a grid, and a robot that turns."""

from __future__ import annotations

from also_wrappers.signal import Action, Actions, Compass, Feature, FeatureMap, Heading

TEAM = ["a", "b", "c"]
FEATURES = FeatureMap(
    Feature("dy", "obs[0]"),
    Feature("dx", "obs[1]"),
    Feature("wall", "obs[2]"),
    Feature("up", "obs[3]"),
    Feature("right", "obs[4]"),
    Feature("down", "obs[5]"),
    Feature("left", "obs[6]"),
    Feature("done", "action"),
)
PLACES = {"goal": ("dy", "dx"), "corner": ("dx", "wall")}
WALK = Actions(
    (
        Action("stay", 0),
        Action("up", 1, (-1, 0), "not wall"),
        Action("down", 2, (1, 0)),
        Action("left", 3, (0, -1), "wall < 0.5 or team_min(wall) < 0.5"),
        Action("right", 4, (0, 1)),
        Action("jump", 62, (2, -1)),
    ),
    PLACES,
)
DRIVE = Actions(
    (Action("drive", 3), Action("port", 1), Action("starboard", 5), Action("load", 0)),
    PLACES,
    Compass(
        "drive",
        "port",
        "starboard",
        {
            "up": Heading("up", (-1, 0), "not wall"),
            "right": Heading("right", (0, 1)),
            "down": Heading("down", (1, 0)),
            "left": Heading("left", (0, -1), "1 - wall"),
        },
    ),
)
CONDITIONS = [
    "1",
    "0",
    "0.5",
    "dy > dx",
    "abs(dx) < near",
    "team_max(dy) > 1 and wall",
    "others_min(gap) < near",
    "not wall and (dx == 0 or gap > 1)",
    "1 / dx",
    "sqrt(dy) > 1",
    "where(wall, gap, dx / dy)",
]
DEFINE = {"gap": "abs(dx) + abs(dy)", "near": "team_mean(gap) - wall"}
