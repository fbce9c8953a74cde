import io

from rich.console import Console

from pdehvd.training.progress import Progress


class Clock:
    """A clock that a test turns by hand."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def on_a_pipe(**settings):
    text = io.StringIO()
    clock = Clock()
    console = Console(file=text, force_terminal=False, width=200)
    return Progress(100, console=console, clock=clock, **settings), text, clock


def test_a_pipe_gets_a_line_now_and_then_and_always_the_last():
    progress, text, clock = on_a_pipe(every=5.0)
    with progress:
        for step in range(0, 101, 10):
            clock.now = step / 10
            progress.update(step, loss=1.0 / (step + 1))
    lines = text.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["0/100", "50/100", "100/100"]


def test_a_line_tells_loss_error_speed_and_time_left():
    progress, text, clock = on_a_pipe(every=0.0)
    with progress:
        progress.update(0, loss=1.0)
        clock.now = 10.0
        progress.update(20, loss=0.5, error=0.03, points_per_second=123456.0)
    last = text.getvalue().splitlines()[-1]
    assert last == "training 20/100  loss 5.00e-01  error 3.00e-02  123k points/s  0:40 left"


def test_time_left_after_a_resume_counts_this_session_only():
    progress, text, clock = on_a_pipe(every=0.0, start=80)
    with progress:
        clock.now = 30.0
        progress.update(81, loss=1.0)
        clock.now = 31.0
        progress.update(82, loss=1.0)
    assert text.getvalue().splitlines()[-1].endswith("0:18 left")


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setenv("PDEHVD_TERMINAL", "1")
    monkeypatch.setenv("COLUMNS", "160")
    with Progress(100) as progress:
        progress.message("a [line] above")
        progress.update(50, loss=0.25, error=0.5, points_per_second=1000.0)
    text = capsys.readouterr().out
    assert "━" in text and "50%" in text and "50/100" in text
    assert "loss 2.50e-01" in text and "1k points/s" in text
    assert "a [line] above" in text


def test_a_narrow_terminal_cuts_no_number(monkeypatch, capsys):
    monkeypatch.setenv("PDEHVD_TERMINAL", "1")
    monkeypatch.setenv("COLUMNS", "80")
    with Progress(10000) as progress:
        progress.update(10000, loss=0.25, error=0.5, points_per_second=123456.0)
    text = capsys.readouterr().out
    assert "…" not in text
    assert "10000/10000" in text and "123k points/s" in text


def test_lines_can_be_asked_for_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setenv("PDEHVD_TERMINAL", "0")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with Progress(100) as progress:
        progress.update(50, loss=0.25)
    assert capsys.readouterr().out.startswith("training 50/100")


def test_quiet_prints_nothing(capsys):
    with Progress(10, quiet=True) as progress:
        progress.message("nothing")
        progress.update(10, loss=1.0)
    assert capsys.readouterr().out == ""


def test_a_message_is_printed_as_it_is():
    progress, text, _ = on_a_pipe()
    with progress:
        progress.message("saved runs/[bold]x[/bold]")
    assert text.getvalue() == "saved runs/[bold]x[/bold]\n"
