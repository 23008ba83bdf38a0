"""Words for a verification on another channel: whoever is called back says them in the call. Pure.

Whoever is rung up under the number that was enrolled is told the words, and must be heard to say them in the call. A
forger who does not sit at that telephone has one guess among 2^32, and ten minutes for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

COUNT = 4
OUTCOMES = ("passed", "failed", "unreachable")
# Short, plain and told apart on a bad line: 256, so each is eight bits.
LINES = (
    "acorn actor album almond amber anchor angel ankle antler apple apron arrow artist atlas",
    "attic autumn bacon badge baker bamboo banjo barley basket beaver bishop blanket blossom bonnet",
    "bottle boulder bracelet branch breakfast bridge brother bucket buffalo bugle butter button cabin cactus",
    "camel candle canoe carbon carpet castle cedar cellar chalk chapel cherry chimney cinder circus",
    "clarinet climate clover cobweb coffee comet compass copper coral cotton cousin cradle crayon cricket",
    "crystal cushion dagger daisy dancer denim desert diamond dinner doctor dolphin donkey dragon drummer",
    "eagle easel echo elbow ember engine envelope falcon farmer feather fiddle finger flamingo flannel",
    "forest fossil fountain freckle furnace galaxy garlic gazelle giant ginger glacier goblet gravel guitar",
    "hammer harbour harvest hazel helmet heron honey horizon hunter icicle igloo indigo insect island",
    "ivory jacket jasmine jelly jigsaw jockey journey jungle kernel kettle kitchen kitten ladder lagoon",
    "lantern laundry lemon leopard lettuce library lily lizard lobster locket lumber magnet mango marble",
    "market meadow melon mermaid mirror mitten monkey mountain muffin museum mustard napkin nectar needle",
    "nickel noodle nutmeg oatmeal ocean olive onion orchard organ otter oyster paddle palace panther",
    "parrot pasture peanut pebble pelican pencil pepper piano picnic pigeon pillow pirate pocket poet",
    "poppy postcard potter pretzel prism puddle pumpkin puppet puzzle quarry quilt rabbit raccoon radish",
    "rainbow raisin ranger ribbon river robin rocket saddle salmon sandal satin scarecrow school sculptor",
    "shadow shepherd shovel silver skeleton sketch slipper snowman soldier spider sponge squirrel statue stocking",
    "sugar summer sunset swallow table tailor teapot temple thimble thunder ticket tiger timber tomato",
    "torch tractor trumpet tulip",
)
WORDS: tuple[str, ...] = tuple(word for line in LINES for word in line.split())


def words(choose: Callable[[Sequence[str]], str]) -> tuple[str, ...]:
    """Return the words of one challenge; `choose` picks one of many, as `secrets.choice` does."""
    return tuple(choose(WORDS) for _ in range(COUNT))
