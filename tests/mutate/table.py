"""Every mutation that `make mutate` tries; each area of the product has its own file."""

from __future__ import annotations

from tests.mutate import access, clips, judging, media, packs, supply, surface
from tests.mutate.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    *access.MUTATIONS,
    *media.MUTATIONS,
    *clips.MUTATIONS,
    *judging.MUTATIONS,
    *packs.MUTATIONS,
    *supply.MUTATIONS,
    *surface.MUTATIONS,
)
