"""Programs that tests start are no tests."""

collect_ignore = ["programs"]
