"""Counts who has asked, and keeps the count."""

import http.server
import pathlib
import signal
import sys

COUNT = pathlib.Path("/data/count")


class Counter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        count = int(COUNT.read_text()) + 1 if COUNT.exists() else 1
        COUNT.write_text(str(count))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{count}\n".encode())


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("counting", flush=True)
http.server.HTTPServer(("", 8000), Counter).serve_forever()
