from grounding.app import find, handlers, layout, page


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


def test_whatever_reads_the_state_and_writes_it_comes_one_after_the_other():
    """Beside each other, the last to end would undo what the others wrote."""
    writing = {find.show_found, find.show_thumbnails, handlers.drop_stale_answer, handlers.show_files}
    writing |= {handlers.select_query, handlers.select_segment, handlers.toggle_baseline, handlers.toggle_clip}
    writing |= {handlers.limit_segments}
    names = {write.__name__ for write in (*writing, handlers.remove_query)}
    events = [event for event in page.build_page().fns.values() if event.name in names]
    assert {event.name for event in events} == names
    assert {(event.concurrency_id, event.concurrency_limit) for event in events} == {("state", 1)}
    once = {event.name for event in events if event.trigger_mode == "once"}  # a second press meanwhile would be lost
    assert once == {"remove_query"}


def test_what_follows_an_upload_follows_each_one():
    """A second clip may be given before what follows the first has ended."""
    names = {"check_upload", "drop_refused_clip", "drop_stale_preview"}
    events = [event for event in page.build_page().fns.values() if event.name in names]
    assert {event.name for event in events} == names
    assert {event.trigger_mode for event in events} == {"multiple"}
