"""`python -m streams` is `leadsync`."""

from streams.cli import main

if __name__ == "__main__":
    main()
