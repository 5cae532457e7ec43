"""Operating leadsync: what stands on its topics, shown to people, and what people ask of it, put on its topics.

Nothing here folds or decides: it reads the topics and the tables' changelogs as they were committed, without a consumer
group, and what it sends are messages that anybody could send by the published contracts. A worker need not run for it.

    reading.py    topics, and one table's values, from beginning to current end
    people.py     whose person is it, whose errors are open, in which stream do they stand
    standing.py   a person's fields by state: at rest, in flight, pending, in error; pure
    telling.py    an activity as a sentence; pure
    letters.py    dead letters; trial.py asks the agent itself whether it would reject one again
    display.py    tables on a terminal, tab-separated lines in a pipe
"""
