"""Schedules: how an attack is run with more than one budget."""

from __future__ import annotations

from monai_advdefense.attacks.schedules.ladder import ladder

__all__ = ["ladder"]
