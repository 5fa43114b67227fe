from grounding import events, page
from grounding.serving import ground_json


def test_every_example_is_a_clip_that_is_there():
    entries = page.example_entries()
    assert len(entries) >= 3
    assert all((page.EXAMPLES / entry["file"]).is_file() and len(entry["queries"]) >= 2 for entry in entries)


def test_no_more_than_four_files_are_open_at_once():
    """Whatever decodes: each process that does may take up to 4 GB."""
    decoding = {job.__name__ for job in (events.find, events.develop, events.playable, events.cut_out, ground_json)}
    jobs = [job for job in page.build_page("").fns.values() if job.name in decoding]
    assert {job.name for job in jobs} == decoding
    assert sum({job.concurrency_id: job.concurrency_limit for job in jobs}.values()) == 4
