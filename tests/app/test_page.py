from grounding.app import handlers, layout, page


def test_every_example_is_a_clip_that_is_there():
    entries = layout.read_examples()
    assert len(entries) >= 3
    assert all((layout.EXAMPLES / entry["file"]).is_file() and len(entry["queries"]) >= 2 for entry in entries)


def test_previews_and_cuts_are_made_two_at_a_time():
    """Of all visitors together: each process that decodes may take up to 4 GB."""
    making = {job.__name__ for job in (handlers.check_upload, handlers.export_segment)}
    jobs = [job for job in page.build_page().fns.values() if job.name in making]
    assert {job.name for job in jobs} == making
    assert {(job.concurrency_id, job.concurrency_limit) for job in jobs} == {("files", 2)}
