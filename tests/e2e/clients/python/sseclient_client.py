"""sseclient, on requests; it reconnects by itself."""

import sys

import sseclient

from show import show

for event in sseclient.SSEClient(sys.argv[1]):
    show(event.event, event.id, event.data)
