"""How DuckDB is started."""

from storage.early import connected, instance

BAR = "SELECT current_setting('enable_progress_bar')"


def test_no_bar_of_progress_is_drawn_into_what_a_command_prints():
    with connected(threads=1) as connection, instance() as lake:
        assert [connection.execute(BAR).fetchone(), connection.cursor().execute(BAR).fetchone()] == [(False,), (False,)]
        assert [lake.execute(BAR).fetchone(), lake.cursor().execute(BAR).fetchone()] == [(False,), (False,)]
