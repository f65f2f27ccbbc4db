"""Every parser of the product, fed with bytes that nobody meant: no crash, no hang, one sentence.

    python -m tests.fuzz [NAME ...] [--minutes N] [--json]

A parser is one file here and one line of `tests.fuzz.table`. atheris guides the bytes where it is
installed (``pip install --group fuzz .``), Hypothesis draws them where it is not; both call the
same ``check``. ``corpus/NAME/`` holds inputs that once found something, and those that reach most.
"""
