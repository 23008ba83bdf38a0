"""What a run of the persona model is made with, and what it makes: the recipe, and the model with everyone's tokens."""

from __future__ import annotations

from dataclasses import dataclass, fields

from torch import Tensor, nn

from engines.nets.persona import PersonaShape, PersonaSize, Reconstruction


@dataclass(frozen=True, slots=True)
class PersonaRecipe(PersonaSize):
    """Everything that shapes a run: the size of the network, and how it is trained.

    `drop` is how often the tokens of nobody stand in for a person's, `drop_voice` how often the voice is left out.
    Timesteps are drawn from `low` to `high`; `timesteps` are those of the distance, each with `noises` noises.
    `rank_weight` asks that a window be denoised better with its own person's tokens than with another's;
    `spread_weight` holds the tokens of people together. `aside` is the share of every recording measured on
    and not learnt; tokens of held-out people are fitted in `fit_steps` steps at each measurement (0: at the end only,
    in 100). `loss` is that of the "target", or of the clean window "x0".
    """

    tokens: int = 16
    token_size: int = 128
    dropout: float = 0.2
    drop: float = 0.5
    drop_voice: float = 0.5
    low: float = 0.02
    high: float = 0.98
    loss: str = "target"
    jitter: float = 0.1
    rank_weight: float = 0.0
    spread_weight: float = 1e-3
    balance: float = 0.5
    minutes: float = 12.0
    batch: int = 48
    rate: float = 1e-3
    token_rate: float = 5e-3
    decay: float = 0.1
    average: float = 0.998
    keep_best: bool = False
    aside: float = 0.15
    timesteps: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8)
    noises: int = 1
    noise_seed: int = 5
    fit_steps: int = 0
    measure_every: float = 300.0
    threads: int = 0
    seed: int = 0
    max_steps: int = 10**9

    def shape(self, features: int) -> PersonaShape:
        """Say what the network looks like for `features` a step."""
        return PersonaShape(**{size.name: getattr(self, size.name) for size in fields(PersonaSize)}, features=features)


class PeopleModel(nn.Module):
    """The model with the tokens of everyone who is known; number 0 is nobody."""

    def __init__(self, shape: PersonaShape, people: int, scale: Tensor, weight: Tensor | None = None) -> None:
        super().__init__()
        self.model = Reconstruction(shape, scale, weight)
        self.size = (shape.tokens, shape.token_size)
        self.table = nn.Embedding(people + 1, shape.tokens * shape.token_size)
        nn.init.normal_(self.table.weight, std=0.1)

    def tokens(self, person: Tensor) -> Tensor:
        """Tokens (N, P, d) of people by number."""
        rows: Tensor = self.table(person)
        return rows.reshape(-1, *self.size)

    @property
    def null(self) -> Tensor:
        """Tokens (P, d) of nobody."""
        return self.table.weight[0].detach().reshape(self.size)

    @property
    def start(self) -> Tensor:
        """Tokens (P, d) that fitting begins with: those of the mean person, or nobody's where none is known."""
        rows = self.table.weight[1:] if len(self.table.weight) > 1 else self.table.weight
        return rows.detach().mean(0).reshape(self.size)
