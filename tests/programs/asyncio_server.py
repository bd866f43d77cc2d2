"""An asyncio server: echoes lines, and runs a timer beside."""
import asyncio
import signal

ticks = 0


async def tick():
    global ticks
    while True:
        await asyncio.sleep(0.01)
        ticks += 1


async def serve(reader, writer):
    while line := await reader.readline():
        if line == b"ticks\n":
            writer.write(b"%d\n" % ticks)
        else:
            writer.write(b"echo " + line)
        await writer.drain()
    writer.close()


async def main():
    timer = asyncio.create_task(tick())
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with await asyncio.start_server(serve, "0.0.0.0", 8000):
        await stop.wait()
    timer.cancel()
    print("stopped", flush=True)


asyncio.run(main())
