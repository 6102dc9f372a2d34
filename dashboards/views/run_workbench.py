"""The run itself: jump chips, the waterfall to navigate by, the story to read, and everything about the chosen step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from dashboards import components, story, units, waterfall
from dashboards.panels import empty
from dashboards.views import step_detail
from dashboards.waterfall import FOLD_ABOVE, FOLD_SHOWN, Waterfall
from storage.messages import Turn

WATERFALL_HEIGHT = 430
STORY_HEIGHT = 760
STORY_ITEMS = 150
COLUMNS = (11, 9)


def show(found: dict[str, Any], said: Mapping[str, Sequence[Turn]], key: str) -> None:
    """Everything below the verdict. The chosen step is in the address, so a link can point at it. `said`: what is new at each step."""
    steps = found["steps"]
    if not steps:
        empty("This run has no steps.", "Its records may still be on their way.")
        return
    ids = {step["record_id"] for step in steps}
    asked = st.query_params.get("step")
    chosen = asked if asked in ids else _default(steps)
    if asked and asked not in ids:
        st.warning("The step that the address names is not in this run; another is shown.", icon=":material/search_off:")
    _chips(steps, key)
    _waterfall(steps, str(chosen), key)
    step = next(step for step in steps if step["record_id"] == chosen)
    items = story.items(steps, said)
    story_head, step_head = st.columns(COLUMNS, vertical_alignment="bottom")
    left, right = st.columns(COLUMNS)
    with story_head:
        first = _story_head(items, str(chosen), key)
    with step_head:
        step_detail.head(steps, step, key, select=_select)
    with left:
        name = f"story-{key}"
        data = {"items": items[first : first + STORY_ITEMS], "selected": chosen, "height": STORY_HEIGHT}
        components.story(data, key=name, on_select=_selected(name))
    with right:
        step_detail.show(step, said.get(str(chosen), ()))


def _default(steps: list[dict[str, Any]]) -> str:
    """Without a step in the address: what failed, else the first step."""
    for jump in story.jumps(steps):
        if jump.key == "error":
            return jump.step
    return str(story.in_order(steps)[0]["record_id"])


def _select(record_id: str) -> None:
    st.query_params["step"] = record_id


def _selected(component: str) -> Callable[[], None]:
    """The callback of a component: takes the chosen step over into the address before the page is drawn again."""

    def take() -> None:
        chosen = st.session_state[component].get("select")
        if chosen:
            _select(str(chosen))

    return take


def _chips(steps: list[dict[str, Any]], key: str) -> None:
    jumps = story.jumps(steps)
    if not jumps:
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.markdown("**Jump to**", width="content")
        for jump in jumps:
            label = f"{jump.label} · {jump.number}" if jump.number > 1 else jump.label
            st.button(label, icon=f":material/{jump.icon}:", key=f"jump-{jump.key}-{key}", on_click=_select, args=(jump.step,))


def _waterfall(steps: list[dict[str, Any]], chosen: str, key: str) -> None:
    place = st.container()
    with place.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            "**Waterfall**",
            width="content",
            help="Arrow keys move, left and right fold, enter chooses. The thin line under a bar marks the critical path.",
        )
        fold_idle = st.toggle("Fold idle time", key=f"idle-{key}", help="Shortens stretches in which no step was under way")
        crowded = waterfall.build(steps, selected=chosen).folds > 0
        unfold = st.toggle("Show all siblings", key=f"unfold-{key}") if crowded else False
    drawn = waterfall.build(steps, selected=chosen, fold_idle=fold_idle, unfold=unfold)
    if drawn.hidden:
        _banner(drawn)
    name = f"waterfall-{key}"
    data = {"rows": drawn.rows, "ticks": drawn.ticks, "selected": chosen, "height": WATERFALL_HEIGHT, "tones": story.TONES}
    components.waterfall(data, key=name, on_select=_selected(name))


def _banner(drawn: Waterfall) -> None:
    st.info(
        f"{units.plural(drawn.hidden, 'step')} folded: of more than {FOLD_ABOVE} siblings the first {FOLD_SHOWN} are shown, and all that "
        "failed. “Show all siblings” unfolds them.",
        icon=":material/unfold_less:",
    )


def _story_head(items: list[dict[str, Any]], chosen: str, key: str) -> int:
    """The title and, for long runs, the way to other parts of the story; returns the first item to show."""
    place = next((number for number, item in enumerate(items) if item["id"] == chosen), 0)
    first = place // STORY_ITEMS * STORY_ITEMS
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown("**Story**", width="content", help="What happened, in order. A choice here or in the waterfall is the same choice.")
        if len(items) > STORY_ITEMS:
            last = min(first + STORY_ITEMS, len(items))
            with st.container(horizontal=True, vertical_alignment="center", width="content"):
                st.caption(f"steps {units.count(first + 1)}–{units.count(last)} of {units.count(len(items))}", width="content")
                _turn("Earlier", "chevron_left", items, first - STORY_ITEMS, key)
                _turn("Later", "chevron_right", items, first + STORY_ITEMS, key)
    return first


def _turn(label: str, icon: str, items: list[dict[str, Any]], to: int, key: str) -> None:
    inside = 0 <= to < len(items)
    st.button(
        label,
        icon=f":material/{icon}:",
        key=f"{label}-{key}",
        disabled=not inside,
        on_click=_select,
        args=(items[to]["id"] if inside else "",),
        type="tertiary",
    )
