"""What a tenant may send, on the average and at once; what one has used up is nobody else's."""

import pytest

from collector.errors import RateLimited, TooLarge
from collector.quotas import LONGEST_RETRY_SECONDS, UNLIMITED, Allowance, Quotas
from collector.sender import ANONYMOUS, Sender

ACME, UMBRELLA = Sender(name="agent-7", tenant="acme"), Sender(name="agent-8", tenant="umbrella")
THREE = Allowance(requests_per_second=1, requests_burst=3)
BYTES = Allowance(bytes_per_second=100, bytes_burst=1000)


class Clock:
    """Seconds that pass when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def quotas(default: Allowance | None = None, **tenants: Allowance) -> tuple[Quotas, Clock]:
    clock = Clock()
    return Quotas(default, tenants, monotonic=clock), clock


def taken(quota: Quotas, sender: Sender, size_bytes: int = 1, times: int = 10) -> int:
    """How many of some requests are let in."""
    for number in range(times):
        try:
            quota.take(sender, size_bytes)
        except RateLimited:
            return number
    return times


def refusal(quota: Quotas, sender: Sender, size_bytes: int = 1) -> int | None:
    with pytest.raises(RateLimited) as refused:
        quota.take(sender, size_bytes)
    return refused.value.retry_seconds


def test_without_limits_everybody_may_send_all_he_has() -> None:
    quota, _ = quotas()
    assert quota.take(ACME, 1 << 40) == UNLIMITED
    quota.settle(ACME, 0, 1 << 40)
    assert taken(quota, ANONYMOUS) == 10


def test_a_burst_is_let_in_and_then_the_rate() -> None:
    quota, clock = quotas(THREE)
    assert taken(quota, ACME) == 3
    clock.now += 2
    assert taken(quota, ACME) == 2


def test_after_the_time_that_a_refusal_names_the_request_is_let_in() -> None:
    quota, clock = quotas(Allowance(requests_per_second=0.25, requests_burst=1))
    quota.take(ACME, 1)
    seconds = refusal(quota, ACME)
    assert seconds == 4
    clock.now += seconds
    quota.take(ACME, 1)


def test_a_refusal_costs_nothing() -> None:
    quota, clock = quotas(THREE)
    assert taken(quota, ACME) == 3
    for _ in range(100):
        refusal(quota, ACME)
    clock.now += 1
    quota.take(ACME, 1)


def test_the_flood_of_one_tenant_leaves_the_others_alone() -> None:
    quota, _ = quotas(THREE)
    assert taken(quota, ACME, times=1000) == 3
    assert taken(quota, UMBRELLA) == 3
    assert taken(quota, ANONYMOUS) == 3


def test_all_senders_of_a_tenant_share_its_limit() -> None:
    quota, _ = quotas(THREE)
    assert taken(quota, ACME) == 3
    assert taken(quota, Sender(name="another", tenant="acme")) == 0


def test_senders_without_a_tenant_have_the_default_each_by_name() -> None:
    quota, _ = quotas(THREE, acme=Allowance(requests_per_second=1, requests_burst=5))
    assert taken(quota, Sender(name="a")) == 3
    assert taken(quota, Sender(name="b")) == 3
    assert taken(quota, Sender(name="acme")) == 3  # a name is not a tenant
    assert taken(quota, ACME) == 5


def test_bytes_are_counted_as_announced_and_settled_when_a_request_is_whole() -> None:
    quota, clock = quotas(BYTES)
    quota.take(ACME, 400)
    quota.settle(ACME, 400, 1500)  # it was compressed
    assert refusal(quota, ACME, 1) == 6
    clock.now += 6
    quota.take(ACME, 1)


def test_an_unannounced_size_waits_for_what_is_overdrawn() -> None:
    quota, _ = quotas(BYTES)
    quota.take(ACME, 0)
    quota.settle(ACME, 0, 1200)
    assert refusal(quota, ACME, 0) == 3


def test_a_request_larger_than_a_burst_waits_for_a_full_bucket_and_then_passes() -> None:
    quota, clock = quotas(BYTES)
    quota.take(ACME, 5000)
    assert refusal(quota, ACME, 5000) == 50
    clock.now += 50
    quota.take(ACME, 5000)


def test_a_request_that_is_announced_too_large_never_passes() -> None:
    quota, _ = quotas(Allowance(request_bytes=1000))
    assert quota.take(ACME, 1000) == 1000
    with pytest.raises(TooLarge, match="1000 bytes"):
        quota.take(ACME, 1001)


def test_the_wait_that_is_named_is_never_beyond_an_hour() -> None:
    quota, _ = quotas(Allowance(bytes_per_second=1, bytes_burst=1))
    quota.take(ACME, 1 << 30)
    assert refusal(quota, ACME) == LONGEST_RETRY_SECONDS


def test_new_limits_hold_at_once_and_who_keeps_his_has_spent_what_he_had() -> None:
    quota, _ = quotas(THREE, acme=THREE)
    assert taken(quota, ACME) == taken(quota, UMBRELLA) == 3
    quota.become(quotas(Allowance(requests_per_second=1, requests_burst=7), acme=THREE)[0])
    assert taken(quota, ACME) == 0
    assert taken(quota, UMBRELLA) == 7
    quota.become(quotas()[0])
    assert taken(quota, ACME, times=100) == 100
