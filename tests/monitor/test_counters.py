"""Counters: they add up, and Prometheus can read them."""

from prometheus_client.parser import text_string_to_metric_families

from lading.monitor.counters import LocalCounters


def samples(counters: LocalCounters) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The samples of an exposition as Prometheus reads them: (name, labels) to value."""
    families = text_string_to_metric_families(counters.exposition().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_what_was_counted_adds_up():
    counters = LocalCounters()
    counters.add("rows", amount=3)
    counters.add("rows", amount=4)
    counters.add("warnings", "age", 2)
    counters.add("warnings", "plan")
    assert (counters.total("rows"), counters.total("warnings"), counters.total("warnings", "age")) == (7, 3, 2)


def test_what_was_never_counted_is_zero():
    assert LocalCounters().total("rows") == 0


def test_prometheus_reads_every_sample_with_its_labels():
    counters = LocalCounters()
    counters.add("rows", amount=7)
    counters.add("batches")
    counters.add("requests", "/predict 200", 2)
    counters.add("requests", "/predict 422")
    counters.add("failures", "model.failed")
    counters.add("refusals", "queue_full", 5)
    assert samples(counters) == {
        ("lading_rows_total", ()): 7,
        ("lading_batches_total", ()): 1,
        ("lading_requests_total", (("route", "/predict"), ("status", "200"))): 2,
        ("lading_requests_total", (("route", "/predict"), ("status", "422"))): 1,
        ("lading_failures_total", (("code", "model.failed"),)): 1,
        ("lading_refusals_total", (("code", "queue_full"),)): 5,
    }


def test_a_column_of_any_name_is_a_label_that_prometheus_reads():
    counters = LocalCounters()
    names = ['quote " here', "back\\slash", "new\nline", "ü", "with space", ""]
    for name in names:
        counters.add("warnings", name)
    assert samples(counters) == {("lading_warnings_total", (("column", name),)): 1 for name in names}


def test_every_family_is_told_before_anything_was_counted():
    families = list(text_string_to_metric_families(LocalCounters().exposition().decode()))
    assert [family.name for family in families] == [
        "lading_requests",
        "lading_rows",
        "lading_batches",
        "lading_failures",
        "lading_refusals",
        "lading_warnings",
    ]
    assert all(family.type == "counter" and family.documentation for family in families)


def test_counters_only_grow_from_one_exposition_to_the_next():
    counters = LocalCounters()
    counters.add("rows")
    before = samples(counters)
    counters.add("rows")
    assert samples(counters)["lading_rows_total", ()] == before["lading_rows_total", ()] + 1
