"""Files as a bad disk, a bad program or a bad person would leave them."""

import random


def mutate(dice: random.Random, content: bytes) -> bytes:
    """Return `content` with a few bytes changed, cut out, doubled or cut off."""
    mutated = bytearray(content)
    for _ in range(dice.randint(1, 6)):
        start = dice.randrange(len(mutated) + 1)
        stop = min(len(mutated), start + dice.choice([1, 1, 2, 8, 100]))
        match dice.randrange(4):
            case 0:
                mutated[start:stop] = dice.randbytes(stop - start)
            case 1:
                del mutated[start:stop]
            case 2:
                mutated[start:start] = mutated[start:stop]
            case _:
                mutated[start:stop] = dice.choice([b'"', b"\n", b",", b"\xff" * 4, bytes(4)])
    return bytes(mutated)
