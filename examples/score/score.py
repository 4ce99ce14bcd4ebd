"""The answer is what was asked: a model in one line, in place of a real one."""


def identity(X: int) -> int:
    return X
