"""Sending notices: to a webhook that takes them, and to ones that hang, answer 500 or are not there."""

import subprocess
import sys
import threading
import time

import pytest
from conftest import free_port
from receivers import Receiver

from helpers.notice_delivery import MOST_WAITING, Delivery


def lines(capsys) -> list[str]:
    """What was said on stderr."""
    return capsys.readouterr().err.splitlines()


def test_notices_arrive_in_order_as_they_are(capsys):
    """Notices arrive in their order, with title, body and kind, and a body that looks like HTML is not changed."""
    bodies = ["<b>&amp; größe</b> :smile: \\n $HOME\n  indented", "short", "x" * 20_000]
    with Receiver() as receiver:
        delivery = Delivery((receiver.url,))
        for number, body in enumerate(bodies):
            delivery.send(f"title {number}", body, "warning")
        delivery.close(30)
    assert [notice["title"] for notice in receiver.taken] == ["title 0", "title 1", "title 2"]
    assert [notice["message"] for notice in receiver.taken] == bodies
    assert {notice["type"] for notice in receiver.taken} == {"warning"}
    assert lines(capsys) == []


def test_every_url_is_told_although_one_fails(capsys):
    """One URL that cannot be reached is one line, with its scheme alone, and the others are told."""
    with Receiver() as receiver:
        token = f"json://me:s3cret@127.0.0.1:{free_port()}/t0ken?x=s3cret"
        delivery = Delivery((token, receiver.url))
        delivery.send("title", "body")
        delivery.close(30)
    assert len(receiver.taken) == 1
    assert lines(capsys) == [
        "daybook: a notice to json://***, URL 1 of 2 was not delivered (no connection, or no answer in time): title"
    ]


def test_an_answer_of_500_is_one_line(capsys):
    """A webhook that answers 500 is one line that says so, and the next notice is tried."""
    with Receiver(500) as receiver:
        delivery = Delivery((receiver.url,))
        delivery.send("first", "body")
        delivery.send("second", "body")
        delivery.close(30)
    assert lines(capsys) == [
        f"daybook: a notice to json://*** was not delivered (it answered 500): {title}" for title in ("first", "second")
    ]


def test_a_webhook_that_hangs_holds_up_nothing(capsys):
    """With a webhook that never answers a notice is queued at once, and closing waits no longer than it was told."""
    with Receiver(delay=60) as receiver:
        delivery = Delivery((receiver.url,))
        began = time.monotonic()
        for number in range(3):
            delivery.send(f"title {number}", "body")
        assert time.monotonic() - began < 0.5
        began = time.monotonic()
        delivery.close(1.0)
        assert 0.9 < time.monotonic() - began < 2
    assert lines(capsys)[0] == "daybook: 3 notices were not delivered within 1 s"


@pytest.mark.slow
def test_a_webhook_that_hangs_is_given_up(capsys):
    """A webhook that does not answer within seconds costs its own notice, not the next one's delivery elsewhere."""
    with Receiver(delay=60) as hanging, Receiver() as receiver:
        delivery = Delivery((hanging.url, receiver.url))
        delivery.send("title", "body")
        receiver.wait_for(1)
        delivery.close(1)
    assert len(receiver.taken) == 1
    assert "URL 1 of 2 was not delivered (no connection, or no answer in time)" in lines(capsys)[0]


def test_what_piles_up_is_bounded(capsys):
    """Beyond a hundred notices that wait the next ones are dropped, each with a line."""
    with Receiver(delay=60) as receiver:
        delivery = Delivery((receiver.url,))
        for number in range(MOST_WAITING + 2):
            delivery.send(f"title {number}", "body")
        delivery.close(0.1)
    said = lines(capsys)
    assert said[0] == f"daybook: {MOST_WAITING} notices wait already; not sent: title {MOST_WAITING}"
    assert said[2] == f"daybook: {MOST_WAITING} notices were not delivered within 0.1 s"


def test_a_url_that_apprise_does_not_know_is_one_line(capsys):
    """A URL that is no service's is one line for each notice; the schedule's own check refuses it beforehand."""
    delivery = Delivery(("nothing://token",))
    delivery.send("title", "body")
    delivery.close(30)
    [line] = lines(capsys)
    assert line.startswith("daybook: a notice to nothing://*** was not delivered (")


def test_nothing_runs_until_there_is_a_notice():
    """Without a notice there is no thread; after closing it is gone, and another one comes when there is a notice."""
    with Receiver() as receiver:
        before = threading.active_count()
        delivery = Delivery((receiver.url,))
        delivery.close(0)
        assert "notices" not in [thread.name for thread in threading.enumerate()]
        for number in (1, 2):
            delivery.send("title", "body")
            delivery.close(30)
            assert len(receiver.taken) == number
            assert "notices" not in [thread.name for thread in threading.enumerate()]
        assert threading.active_count() <= before + 1


@pytest.mark.slow
def test_a_process_ends_although_its_webhook_hangs():
    """A process that leaves without closing is not kept by a webhook that hangs."""
    with Receiver(delay=60) as receiver:
        code = f"from helpers.notice_delivery import Delivery; Delivery(({receiver.url!r},)).send('t', 'b')"
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
        assert time.monotonic() - began < 10


def test_apprise_is_imported_by_the_first_notice_alone():
    """Whoever serves without sending does not pay for Apprise's import, nor for its memory."""
    code = "import sys; from helpers.notices import Notices; Notices(('json://x',)); print('apprise' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
