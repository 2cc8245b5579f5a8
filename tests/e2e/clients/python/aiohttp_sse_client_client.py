"""aiohttp-sse-client; it reconnects by itself."""

import asyncio
import sys

from aiohttp_sse_client import client

from show import show


async def main():
    async with client.EventSource(sys.argv[1], timeout=None) as source:
        async for event in source:
            show(event.type, event.last_event_id, event.data)


asyncio.run(main())
