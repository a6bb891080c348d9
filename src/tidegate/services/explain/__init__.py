"""
Why a task is as it is, in plain words: pure rules over its record, its definition and its black box.

The rules are tables (`waiting`, `starting`, `exits`, `ends`), looked through in order by `explain`; the first that
applies is told. What they go by is put together in `facts`.
"""
