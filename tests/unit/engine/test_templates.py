"""Templates: analyzers that run only under the names that the configuration gives them, and states that options make."""

from __future__ import annotations

import msgspec
import pytest

from pluginhost import shipped_analyzers
from pluginhost.engine.gate import START, check, rows, ticking
from pluginhost.engine.generations import Module, ready
from pluginhost.engine.loader import Bundle, bundle
from pluginhost.engine.parts import mappings
from pluginhost.engine.pipeline import Pipeline
from pluginhost.engine.splitter import slices
from pluginhost.engine.state import ShardState
from pluginhost.problem import Problem

MAPPINGS = mappings()
SOURCE = """\
from pluginhost import Alert, Duration, FirstSeen, SlidingCount, analyzer, by_options

@analyzer(template=True, pinned=True, where="a:1", tags="app.*")
def often(event, window: SlidingCount = by_options(lambda span: SlidingCount(span)), span: Duration = Duration.of("10s"),
          field: str = ..., limit: int = 2):
    \"\"\"Often the same.\"\"\"
    return Alert("low", f"{event.get(field)} often") if window.reaches(event, limit) else None

@analyzer(key="k")
def plain(event, seen: FirstSeen = FirstSeen("1d"), limit: int = 1):
    return Alert("low", "new") if seen.first(event["k"], event) and limit else None

often.fires_on([{"a": 1}] * 2, where="a:1", field="a", tag="app.x")
often.quiet_on([{"a": 1}] * 2, where="b:1", field="a", tag="app.x")
often.quiet_on([{"a": 1, "h": n} for n in range(2)], key="h", field="a", tag="app.x")
"""
MADE = Bundle("t", "/x/t.py", SOURCE, {})


def passed(source=SOURCE, **options):
    return check(Bundle("t", "/x/t.py", source, {}), options, MAPPINGS)


def heads(records, every=1, tag="app.x", **options):
    """The headlines that come of the records, by analyzer."""
    row = rows(records, START, every * 10**9, tag)
    result = Pipeline(ready(MADE, options), MAPPINGS).run(ShardState(), ticking(slices(row), START + 10**12))
    assert not result.failures
    return sorted((finding.analyzer, finding.message) for finding in result.findings if finding.analyzer != "plain")


def wrong(**options):
    with pytest.raises(Problem) as caught:
        passed(**options)
    return caught.value.page().split("\n")[0]


def test_a_template_that_nobody_uses_runs_nothing_but_its_examples_are_tried():
    module = passed()
    assert [one.name for one in module.analyzers] == ["plain"]
    assert (module.templates, module.options) == (("often",), {"plain": {}})
    with pytest.raises(Problem, match="often: expected an alert, got none"):
        passed(SOURCE.replace('where="a:1", field', 'where="a:2", field'))


def test_each_use_is_an_analyzer_with_a_where_a_key_and_options_of_its_own():
    uses = {"busy": {"use": "often", "where": "b:1", "key": "h", "field": "b", "limit": 3, "title": "Too busy", "tags": ["x"]},
            "whole": {"use": "often", "field": "a", "span": "1m"}}  # fmt: skip
    busy, whole, _ = passed(**uses).analyzers
    assert (busy.where, busy.key, busy.group, busy.tags, busy.pinned, busy.title) == ("b:1", ("h",), ("h",), ("x",), False, "Too busy")
    assert busy.options == {"span": "10s", "field": "b", "limit": 3}
    assert (whole.where, whole.key, whole.tags, whole.pinned, whole.title) == ("a:1", (), ("app.*",), True, "Often the same")
    assert whole.options["span"] == "1m"


def test_uses_keep_their_states_apart_and_have_the_bounds_that_their_options_say():
    records = [{"a": 1, "h": n % 2} for n in range(4)]
    assert heads(records, every=9, one={"use": "often", "field": "a"}) == [("one", "1 often")] * 2
    assert heads(records, every=11, one={"use": "often", "field": "a"}) == []
    assert heads(records, every=11, one={"use": "often", "field": "a", "span": "12s"}, two={"use": "often", "field": "h", "key": "h"}) == [
        ("one", "1 often"), ("one", "1 often"),
    ]  # fmt: skip
    two = {"use": "often", "field": "h", "key": "h", "span": "23s"}
    assert heads(records, every=11, two=two) == [("two", "0 often"), ("two", "1 often")]


def test_no_key_is_one_state_in_all():
    records = [{"a": 1, "h": n} for n in range(2)]
    assert heads(records, one={"use": "often", "field": "a", "key": []}) == [("one", "1 often")]
    assert heads(records, one={"use": "often", "field": "a", "key": "h"}) == []


def test_an_analyzer_that_is_no_template_runs_beside_what_uses_it():
    records = [{"a": 1, "k": 1}, {"a": 2, "k": 1}]
    units = ready(MADE, {"second": {"use": "plain", "where": "a:2"}, "plain": {"limit": 0}})
    result = Pipeline(units, MAPPINGS).run(ShardState(), slices(rows(records, START, 1, "t")))
    assert [(one.analyzer, one.index) for one in result.findings] == [("second", 1)]


@pytest.mark.parametrize(
    ("told", "page"),
    [
        ({}, "config.missing: $.options.mine.field is missing"),
        ({"field": "a", "limt": 3}, "config.unknown: $.options.mine.limt: mine has no option `limt`"),
        ({"field": "a", "limit": "x"}, "config.value: $.options.mine.limit: expected `int`, got text"),
        ({"field": "a", "span": "soon"},
         "config.value: $.options.mine.span: expected a duration such as `10m` (units ns, us, ms, s, m, h, d, w), got `soon`"),
        ({"field": "a", "span": 0}, "config.value: $.options.mine: a span of time must be longer than `0s`"),
        ({"field": "a", "where": "a:("}, "query.empty: $.options.mine: mine: where: there is nothing between these brackets"),
        ({"field": "a", "where": 5}, "config.value: $.options.mine.where: expected text, got `int`"),
        ({"field": "a", "key": {"x": 1}}, "config.value: $.options.mine.key: expected `str | array`, got a mapping"),
        ({"field": "a", "title": []}, "config.value: $.options.mine.title: expected text, got a list"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_use_is_told_by_its_path(told, page):
    assert wrong(mine={"use": "often", **told}) == page


def test_a_name_is_no_other_analyzers():
    assert wrong(plain={"use": "often", "field": "a"}) == "analyzer.twice: $.options.plain.use: there is an analyzer plain already"
    assert wrong(Mine={"use": "often", "field": "a"}) == "analyzer.name: $.options.Mine: `Mine` is no name for an analyzer"


def test_a_state_cannot_be_made_of_an_option_that_is_not_there():
    with pytest.raises(Problem, match="often: `window` is made by the option `spam`, which is not there"):
        passed(SOURCE.replace("lambda span: SlidingCount(span)", "lambda spam: SlidingCount(spam)"))


def test_the_manifest_says_what_runs_so_that_workers_run_the_same():
    uses = {"mine": {"use": "often", "field": "a", "span": "1m"}, "elsewhere": {"use": "other"}}
    module = passed(**uses)
    assert module.options == {"mine": uses["mine"], "plain": {}}
    again = msgspec.json.decode(msgspec.json.encode(module), type=Module)
    assert sorted(unit.name for unit in ready(MADE, again.options)) == ["mine", "plain"]
    assert module.chosen(uses) == module.options
    assert module.chosen({}) == {"mine": {}, "plain": {}}
    assert module.chosen({**uses, "more": {"use": "often", "field": "b"}}).keys() == {"mine", "plain", "more"}


def test_another_model_is_another_shape_and_a_missing_package_is_told(monkeypatch):
    made = bundle(shipped_analyzers() / "numeric_anomaly.py")
    cpu = {"use": "numeric_anomaly", "field": "cpu"}
    models = ("ewma", "robust", "holt", "seasonal", "rcf")
    shapes = {name: ready(made, {"cpu": {**cpu, "model": name}})[0].analyzer.shape for name in models}
    assert shapes["holt"] == "peaks:Peaks/1,series:Holt/1,told:FirstSeen/1"
    assert len(set(shapes.values())) == 5
    with pytest.raises(Problem, match=r"\$\.options\.cpu: the model holt follows one field"):
        ready(made, {"cpu": {**cpu, "model": "holt", "field": ["a", "b"]}})
    with pytest.raises(Problem, match=r"\$\.options\.cpu: a period of 1d in 86,400 slots; 10,080 are the most"):
        ready(made, {"cpu": {**cpu, "model": "seasonal", "slots": 86_400}})
    monkeypatch.setattr("pluginhost.detect.forest.rcf3", None)
    with pytest.raises(Problem, match=r"\$\.options\.cpu: RandomCutForest needs an optional package"):
        ready(made, {"cpu": {**cpu, "model": "rcf"}})


@pytest.mark.parametrize("name", ["rare_value", "new_value", "count_anomaly", "numeric_anomaly", "list_hit"])
def test_the_shipped_ones_run_only_when_used(name):
    made = bundle(shipped_analyzers() / f"{name}.py")
    assert ready(made, {}) == []
    assert ready(made, {name: {"field": "x"}}) == []
