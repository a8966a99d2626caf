"""Two hundred clicks at once on credits for seven."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.world import Caller, World

CLICKS, ENOUGH_FOR, PRICE = 200, 7, 10


def test_of_two_hundred_starts_at_once_seven_are_accepted_and_the_rest_answered_402(
    world: World,
) -> None:
    model = world.model(price=PRICE)
    consumer = world.consumer(credits_=ENOUGH_FOR * PRICE + PRICE - 1)
    path = f"/api/marketplace/models/{model.slug}/run"
    together = threading.Barrier(CLICKS)

    def click(_number: int) -> int:
        together.wait()
        caller = Caller(consumer.base, consumer.token)
        while True:
            answer = caller.call("POST", path, {"inputs": {"prompt": "a lighthouse"}})
            if answer.status_code != 503:  # the pool of connections is small: try again
                return answer.status_code

    with ThreadPoolExecutor(CLICKS) as threads:
        answers = Counter(threads.map(click, range(CLICKS)))

    assert answers == {201: ENOUGH_FOR, 402: CLICKS - ENOUGH_FOR}
    for run in consumer.ok("GET", "/api/marketplace/runs")[:ENOUGH_FOR]:
        world.ended(consumer, run["id"])
    assert world.balance(consumer) == PRICE - 1
    assert len(world.jobs(model)) == ENOUGH_FOR
