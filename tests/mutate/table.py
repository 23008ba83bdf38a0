"""Every mutation that `make mutate` tries; each area of the product has its own file."""

from __future__ import annotations

from tests.mutate import (
    access,
    clips,
    cluster,
    databases,
    gateways,
    journal,
    judging,
    media,
    packs,
    people,
    pods,
    policy,
    sign_in,
    signed_packs,
    sinks,
    supply,
    surface,
    tenants,
    vault,
    voices,
    ways,
)
from tests.mutate.mutation import Mutation

AREAS = (
    access,
    clips,
    cluster,
    databases,
    gateways,
    journal,
    judging,
    media,
    packs,
    people,
    pods,
    policy,
    sign_in,
    signed_packs,
    sinks,
    supply,
    surface,
    tenants,
    vault,
    voices,
    ways,
)
MUTATIONS: tuple[Mutation, ...] = tuple(mutation for area in AREAS for mutation in area.MUTATIONS)
