"""The pool's promises: order, cancellation, survival of dead workers, and pipes that are nobody else's."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.workers.messages import WorkerCall
from atelier_mcp.server.workers.pool import WorkerOutOfMemory, WorkerPool
from atelier_mcp.server.workers.process import WorkerClosed, WorkerError, WorkerTimedOut

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 20


class CallbackServer:
    """Where calls that connect back are accepted; a call that ends tells that its worker is gone."""

    def __init__(self) -> None:
        self.connections: asyncio.Queue[CallbackConnection] = asyncio.Queue()
        self.port = 0

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[CallbackServer]:
        server = await asyncio.start_server(self._accept_connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _accept_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = (await reader.readline()).decode().strip()
        self.connections.put_nowait(CallbackConnection(name, reader, writer))

    async def next_connection(self) -> CallbackConnection:
        async with asyncio.timeout(TIMEOUT_S):
            return await self.connections.get()


class CallbackConnection:
    """The connection of one call."""

    def __init__(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.name = name
        self._reader, self._writer = reader, writer

    def reply(self, line: str) -> None:
        self._writer.write(f"{line}\n".encode())
        self._writer.close()

    async def wait_until_closed(self) -> None:
        """Wait for the worker's end."""
        async with asyncio.timeout(TIMEOUT_S):
            with suppress(ConnectionResetError):  # how Windows reports a process that was killed
                await self._reader.read()
        self._writer.close()


@pytest.fixture
async def callback_server() -> AsyncIterator[CallbackServer]:
    async with CallbackServer().open() as board:
        yield board


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    async with WorkerPool(2, package="tests.worker_jobs") as opened:
        yield opened


@pytest.fixture
async def one_worker() -> AsyncIterator[WorkerPool]:
    async with WorkerPool(1, package="tests.worker_jobs") as opened:
        yield opened


async def test_a_function_runs_in_another_process_and_its_result_comes_back(pool: WorkerPool) -> None:
    assert await pool.run("tests.worker_jobs:add", 2, right=3) == 5
    assert await pool.run("tests.worker_jobs:process_id") != os.getpid()


async def test_a_worker_stays_for_the_next_job(pool: WorkerPool) -> None:
    first = await pool.run("tests.worker_jobs:process_id")
    assert await pool.run("tests.worker_jobs:process_id") == first


async def test_two_workers_do_two_jobs_beside_each_other(pool: WorkerPool, callback_server: CallbackServer) -> None:
    jobs = [asyncio.create_task(pool.run("tests.worker_jobs:phone_home", callback_server.port, name)) for name in "ab"]
    connections = [await callback_server.next_connection(), await callback_server.next_connection()]
    for connection in connections:
        connection.reply(f"over {connection.name}")
    assert await asyncio.gather(*jobs) == ["over a", "over b"]


async def test_jobs_beyond_the_workers_wait_their_turn_in_order(
    one_worker: WorkerPool, callback_server: CallbackServer
) -> None:
    run = one_worker.run
    jobs = [asyncio.create_task(run("tests.worker_jobs:phone_home", callback_server.port, name)) for name in "abcd"]
    names: list[str] = []
    for _ in jobs:
        connection = await callback_server.next_connection()
        names.append(connection.name)
        assert callback_server.connections.empty()
        connection.reply("thanks")
    await asyncio.gather(*jobs)
    assert names == ["a", "b", "c", "d"]


async def test_a_cancelled_job_ends_at_once_and_leaves_the_pool_usable(
    one_worker: WorkerPool, callback_server: CallbackServer
) -> None:
    job = asyncio.create_task(one_worker.run("tests.worker_jobs:phone_home", callback_server.port, "endless"))
    connection = await callback_server.next_connection()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    await connection.wait_until_closed()
    assert await one_worker.run("tests.worker_jobs:add", 1, right=1) == 2


async def test_a_job_cancelled_in_the_queue_never_starts(
    one_worker: WorkerPool, callback_server: CallbackServer
) -> None:
    run = one_worker.run
    first, second, third = (
        asyncio.create_task(run("tests.worker_jobs:phone_home", callback_server.port, name)) for name in ("1", "2", "3")
    )
    connection = await callback_server.next_connection()
    second.cancel()
    connection.reply("done")
    assert await first == "done"
    connection = await callback_server.next_connection()
    assert connection.name == "3"
    connection.reply("done")
    assert await third == "done"
    assert second.cancelled()


async def test_a_job_cancelled_before_its_worker_is_born_leaves_no_process(one_worker: WorkerPool) -> None:
    """The fixture's end waits for every process; one that got away would keep it for ever."""
    for _ in range(5):
        job = asyncio.create_task(one_worker.run("tests.worker_jobs:process_id"))
        await asyncio.sleep(0)
        job.cancel()
        await asyncio.wait([job])
    assert await one_worker.run("tests.worker_jobs:add", 1, right=1) == 2


async def test_a_value_error_keeps_its_words_and_its_worker(pool: WorkerPool) -> None:
    worker = await pool.run("tests.worker_jobs:process_id")
    with pytest.raises(ValueError, match=r"^The ratio is 7, at most 3 is possible\.$"):
        await pool.run("tests.worker_jobs:refuse", "The ratio is 7, at most 3 is possible.")
    assert await pool.run("tests.worker_jobs:process_id") == worker


async def test_any_other_error_arrives_as_a_worker_error_with_its_name(pool: WorkerPool) -> None:
    with pytest.raises(WorkerError, match=r"^LookupError: no such style$"):
        await pool.run("tests.worker_jobs:stumble", "no such style")


async def test_a_missing_function_is_a_worker_error(pool: WorkerPool) -> None:
    with pytest.raises(WorkerError, match=r"AttributeError.*no_such"):
        await pool.run("tests.worker_jobs:no_such")


async def test_a_result_that_cannot_travel_is_a_worker_error(pool: WorkerPool) -> None:
    with pytest.raises(WorkerError, match="lambda"):
        await pool.run("tests.worker_jobs:unsendable")
    assert await pool.run("tests.worker_jobs:add", 1, right=1) == 2


async def test_an_argument_that_cannot_travel_does_not_break_the_pool(one_worker: WorkerPool) -> None:
    with pytest.raises(Exception, match="lambda"):
        await one_worker.run("tests.worker_jobs:add", lambda: None, right=1)
    assert await one_worker.run("tests.worker_jobs:add", 1, right=1) == 2


async def test_a_worker_that_dies_fails_its_own_job_only(pool: WorkerPool, callback_server: CallbackServer) -> None:
    bystander = asyncio.create_task(pool.run("tests.worker_jobs:phone_home", callback_server.port, "bystander"))
    connection = await callback_server.next_connection()
    with pytest.raises(WorkerError, match=r"exit code 3.*worker_jobs:die"):
        await pool.run("tests.worker_jobs:die", 3)
    assert await pool.run("tests.worker_jobs:add", 1, right=1) == 2
    connection.reply("still here")
    assert await bystander == "still here"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
async def test_a_worker_killed_while_idle_is_replaced_unnoticed(one_worker: WorkerPool) -> None:
    worker = await one_worker.run("tests.worker_jobs:process_id")
    os.kill(worker, signal.SIGKILL)
    with suppress(ChildProcessError):  # asyncio was first to take note
        os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)
    assert await one_worker.run("tests.worker_jobs:process_id") != worker


@pytest.mark.parametrize(
    "function", ["os:getpid", "tests.worker_jobs_of_others:add", "atelier_mcp.server.engine.pixels:decode", "add", ""]
)
async def test_only_functions_of_the_package_are_called(pool: WorkerPool, function: str) -> None:
    with pytest.raises(ValueError, match=r"is not a function of tests\.worker_jobs"):
        await pool.run(function)


async def test_megabytes_travel_both_ways(pool: WorkerPool) -> None:
    data = bytes(range(256)) * 40_000
    assert await pool.run("tests.worker_jobs:add", data, right=data) == data + data


async def test_leaving_the_pool_ends_running_and_waiting_jobs(callback_server: CallbackServer) -> None:
    async with WorkerPool(1, package="tests.worker_jobs") as pool:
        port = callback_server.port
        jobs = [asyncio.create_task(pool.run("tests.worker_jobs:phone_home", port, name)) for name in "ab"]
        connection = await callback_server.next_connection()
    await connection.wait_until_closed()
    ends = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(end) for end in ends] == [WorkerClosed, WorkerClosed]
    with pytest.raises(WorkerClosed):
        await pool.run("tests.worker_jobs:process_id")


async def test_a_job_survives_ctrl_c(pool: WorkerPool) -> None:
    assert await pool.run("tests.worker_jobs:interrupted") == "unharmed"


async def test_a_worker_does_not_import_the_program_that_started_it(pool: WorkerPool) -> None:
    loaded = set(await pool.run("tests.worker_jobs:loaded_modules"))
    assert loaded.isdisjoint({"pytest", "mcp", "pydantic", "sqlalchemy", "starlette", "__mp_main__"})


async def test_an_error_of_ours_arrives_whole(pool: WorkerPool) -> None:
    with pytest.raises(ImageRefused) as refused:
        await pool.run("tests.worker_jobs:refuse_image", "The picture is damaged.")
    assert (refused.value.message, refused.value.hint) == ("The picture is damaged.", "Give another.")


@pytest.mark.skipif(sys.platform != "linux", reason="no other system holds a process to such a limit")
async def test_a_job_gets_the_memory_it_may_have_and_no_more(one_worker: WorkerPool) -> None:
    """Each call anew: what one was refused, the next one may have."""

    def build_call(memory_bytes: int) -> WorkerCall:
        return WorkerCall("tests.worker_jobs:allocate", (100_000_000,), {}, memory_bytes=memory_bytes)

    with pytest.raises(WorkerOutOfMemory):
        await one_worker.run_call(build_call(50_000_000))
    assert await one_worker.run_call(build_call(200_000_000)) == 100_000_000
    assert await one_worker.run("tests.worker_jobs:add", 1, right=1) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell how much a process has had")
async def test_a_worker_that_has_had_much_memory_is_replaced() -> None:
    async with WorkerPool(1, package="tests.worker_jobs", most_kept_bytes=100_000_000) as pool:
        first = await pool.run("tests.worker_jobs:process_id")
        await pool.run("tests.worker_jobs:allocate", 1_000_000)
        assert await pool.run("tests.worker_jobs:process_id") == first
        await pool.run("tests.worker_jobs:allocate", 150_000_000)
        assert await pool.run("tests.worker_jobs:process_id") != first


@pytest.mark.parametrize(
    ("cpu_s", "time_limit_s"),
    [
        pytest.param(1, None, marks=pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")),
        (None, 0.5),
    ],
)
async def test_a_job_out_of_time_ends_and_the_next_one_runs(
    one_worker: WorkerPool, cpu_s: float | None, time_limit_s: float | None
) -> None:
    """By what it computed, or by the clock."""
    call = WorkerCall("tests.worker_jobs:compute_for_ever", (), {}, cpu_s=cpu_s)
    with pytest.raises(WorkerTimedOut):
        await one_worker.run_call(call, time_limit_s=time_limit_s)
    assert await one_worker.run("tests.worker_jobs:add", 1, right=1) == 2


def start_program(body: str, *args: str) -> subprocess.Popen[str]:
    """A program that opens a pool and does ``body`` in it, with pipes for its stdin and stdout as a server has."""
    lines = [
        "import asyncio, sys",
        f"sys.path.insert(0, {str(ROOT)!r})",
        "from atelier_mcp.server.workers.pool import WorkerPool",
        "async def main():",
        "    async with WorkerPool(1, package='tests.worker_jobs') as pool:",
        textwrap.indent(textwrap.dedent(body), " " * 8),
        "asyncio.run(main())",
    ]
    command = [sys.executable, "-c", "\n".join(lines), *args]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def test_a_job_can_neither_write_to_the_servers_stdout_nor_read_its_stdin() -> None:
    body = "print('job read', repr(await pool.run('tests.worker_jobs:chatter')))"
    with start_program(body) as program:
        out, err = program.communicate("for the server alone", timeout=TIMEOUT_S)
    assert out == "job read ''\n"
    assert "printed by a job" in err
    assert "written by a job" in err


async def test_workers_vanish_with_a_killed_parent_in_the_middle_of_a_job(callback_server: CallbackServer) -> None:
    body = "await pool.run('tests.worker_jobs:phone_home', int(sys.argv[1]), 'orphan')"
    with start_program(body, str(callback_server.port)) as program:
        connection = await callback_server.next_connection()
        program.kill()
        await connection.wait_until_closed()
        program.communicate()


def test_the_pool_brings_nothing_heavy_into_its_process() -> None:
    body = """
        assert await pool.run('tests.worker_jobs:add', 1, right=1) == 2
        print(*({'cv2', 'numpy', 'PIL', 'multiprocessing'} & set(sys.modules)))
    """
    with start_program(body) as program:
        out, _ = program.communicate(timeout=TIMEOUT_S)
    assert out == "\n"
