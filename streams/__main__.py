"""`leadsync`, and `python -m streams`: the command line, imported where somebody takes Ctrl-C."""

from __future__ import annotations


def main() -> None:
    """`streams.cli.main`; 130 where Ctrl-C came before that, without the traceback of an import."""
    try:
        from streams.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        raise SystemExit(130) from None  # streams.cli.EX_INTERRUPTED, which may not be there yet


if __name__ == "__main__":
    main()
