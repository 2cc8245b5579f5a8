"""Proxies and balancers as they are started in front of two gateways.

Each is Debian's program with the settings that its page in docs/deploy recommends: the tests read them from there, and change
only addresses, ports and paths. A variant is what people have instead, by a change of these settings.
"""

import dataclasses
import re
import shutil
import subprocess
from typing import Callable

from lib.blocks import read_blocks
from lib.paths import ROOT
from lib.waiting import wait_until

PAGES = ROOT / "docs" / "deploy"
GATEWAYS = ("127.0.0.11", "127.0.0.12")  # each port is the same on both, as in the pages
FRONT = "127.0.0.1"  # where a front listens, and from where it connects
CLIENT = "127.0.0.21"
DIRECT = "127.0.0.22"

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {settings};
}}
"""

APACHE = """
ServerRoot {folder}
PidFile {folder}/apache.pid
ErrorLog /dev/stderr
ServerName localhost
User nobody
Group nogroup
Listen {port}
{modules}
Include {settings}
"""
APACHE_MODULES = ("mpm_event", "authz_core", "ssl", "socache_shmcb", "proxy", "http2", "proxy_http2", "slotmem_shm",
                  "proxy_balancer", "lbmethod_byrequests")


def start_nginx(folder, settings, port):
    main = folder / "main.conf"
    main.write_text(NGINX.format(folder=folder, settings=settings))
    return ["nginx", "-c", str(main), "-p", str(folder)]


def start_haproxy(folder, settings, port):
    # One thread: each has connections of its own to the gateways.
    main = folder / "main.cfg"
    main.write_text("global\n    nbthread 1\n")
    return ["haproxy", "-db", "-f", str(main), "-f", str(settings)]


def start_apache(folder, settings, port):
    main = folder / "main.conf"
    modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in APACHE_MODULES)
    main.write_text(APACHE.format(folder=folder, settings=settings, port=port, modules=modules))
    return ["apache2", "-DFOREGROUND", "-f", str(main)]


def start_varnish(folder, settings, port, *parameters):
    return ["varnishd", "-F", "-n", str(folder / "varnish"), "-a", f"{FRONT}:{port}", "-f", str(settings), *parameters]


def start_varnish_pipe(folder, settings, port):
    return start_varnish(folder, settings, port, "-p", "pipe_timeout=3600")


def start_caddy(folder, settings, port):
    main = folder / "main"
    main.write_text("{\n admin off\n auto_https off\n storage file_system " + str(folder) + "\n}\n" + settings.read_text())
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(main)]


@dataclasses.dataclass(frozen=True)
class Front:
    name: str
    program: str
    page: str
    settings: str  # the file that a block of the page is
    command: Callable
    edits: tuple = ()  # pairs: of the page's text, and what a variant has instead
    tls: bool = True
    protocol: str = "h2"  # of clients
    per_client: int = 100  # streams that a client may have on one connection
    connections: int = 1000  # to a gateway that 500 streams may take; HTTP/1.1 takes one for each
    options: tuple = ()  # of the gateways, beyond those of all

    def missing(self):
        """Why it cannot run here, or None."""
        return None if shutil.which(self.program) else f"{self.program} is not installed"

    def text(self, substitutions):
        """The page's settings, with addresses and paths of this machine."""
        block = next(block for block in read_blocks(PAGES / self.page)
                     if block.marker == "file" and block.argument == self.settings)
        text = block.text
        for old, new in self.edits:
            assert old in text, f"{self.page} has no {old!r}"
            text = text.replace(old, new)
        for pattern, new in substitutions:
            text = re.sub(pattern, new, text)
        return text


FRONTS = {front.name: front for front in (
    Front("nginx", "nginx", "nginx.md", "nginx.conf", start_nginx),
    Front("nginx, no keep-alive", "nginx", "nginx.md", "nginx.conf", start_nginx,
          edits=(("keepalive 64;", ""), ("    keepalive_timeout 5s;\n", ""))),
    Front("nginx, HTTP/1.0", "nginx", "nginx.md", "nginx.conf", start_nginx,
          edits=(("proxy_http_version 1.1;", "proxy_http_version 1.0;"), ("keepalive 64;", ""),
                 ("    keepalive_timeout 5s;\n", ""))),
    Front("nginx, buffering and gzip on", "nginx", "nginx.md", "nginx.conf", start_nginx,
          edits=(("proxy_buffering off;", "proxy_buffering on; gzip on; gzip_proxied any;"
                  " gzip_types text/event-stream application/json;"),)),
    Front("HAProxy, HTTP/2", "haproxy", "haproxy.md", "haproxy.cfg", start_haproxy, connections=1),
    Front("HAProxy, TCP and PROXY", "haproxy", "haproxy.md", "haproxy-tcp.cfg", start_haproxy, connections=5,
          options=(("tls", True), ("proxy_protocol", "on"))),
    Front("Apache httpd", "apache2", "apache.md", "apache.conf", start_apache, per_client=5),
    Front("Varnish, pass", "varnishd", "varnish.md", "varnish.vcl", start_varnish, tls=False, protocol="h1", per_client=1),
    Front("Varnish, pipe", "varnishd", "varnish.md", "varnish.vcl", start_varnish_pipe, tls=False, protocol="h1", per_client=1,
          edits=(("return (pass);", "if (req.url ~ \"/stream\") { return (pipe); } return (pass);"),)),
    Front("Caddy", "caddy", "caddy.md", "Caddyfile", start_caddy, connections=1),
)}

MISSING = {
    **{name: why for name, front in FRONTS.items() if (why := front.missing())},
    "Envoy": "neither Debian nor a registry of packages has the program",
    "Traefik": "Debian has no package, and its Go module cannot be installed: it replaces modules of others",
}


class Process:
    """A front that runs with its settings in a folder."""

    def __init__(self, front, folder, port, substitutions, listening):
        self.front, self.log = front, folder / "log"
        settings = folder / front.settings
        settings.write_text(front.text(substitutions))
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(front.command(folder, settings, port), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=folder, start_new_session=True)
        try:
            wait_until(lambda: self._check() and listening(), f"{front.name} to listen", 60)
        except BaseException:
            self.stop()
            raise

    def _check(self):
        assert self.process.poll() is None, f"{self.front.name} ended: {self.text()}"
        return True

    def text(self):
        return self.log.read_text(errors="replace")[-4000:]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
