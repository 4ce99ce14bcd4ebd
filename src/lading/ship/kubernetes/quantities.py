"""Bytes as Kubernetes writes them: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/."""

from __future__ import annotations

import math

MIB = 1 << 20
_STEP = 16


def mebibytes(count: float) -> str:
    """At least so many bytes, in steps of 16 MiB: what is measured a little differently is written the same."""
    return f"{max(1, math.ceil(count / MIB / _STEP)) * _STEP}Mi"
