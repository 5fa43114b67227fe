from grounding import page


def test_every_example_is_a_clip_that_is_there():
    entries = page.example_entries()
    assert len(entries) >= 3
    assert all((page.EXAMPLES / entry["file"]).is_file() and len(entry["queries"]) >= 2 for entry in entries)
