"""Certificates for tests, made by openssl."""

import dataclasses
import pathlib
import subprocess


def make_certificate(directory, name="server"):
    """A self-signed pair for localhost, valid for two days: (certificate path, key path)."""
    certificate, key = str(directory / f"{name}.crt"), str(directory / f"{name}.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def make_expired_certificate(directory):
    """A pair whose validity ended years ago: (certificate path, key path)."""
    certificate, key = make_certificate(directory, "expired")
    (directory / "index").touch()
    (directory / "ca.cnf").write_text(f"""
[ca]
default_ca = it
[it]
database = {directory}/index
new_certs_dir = {directory}
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
""")
    request = str(directory / "expired.csr")
    subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=expired", "-out", request],
                   check=True, capture_output=True)
    subprocess.run(["openssl", "ca", "-batch", "-selfsign", "-notext", "-config",
                    str(directory / "ca.cnf"), "-startdate", "20200101000000Z", "-enddate",
                    "20200201000000Z", "-keyfile", key, "-in", request, "-out", certificate],
                   check=True, capture_output=True)
    return certificate, key


@dataclasses.dataclass(frozen=True)
class Authority:
    """A directory with an authority, and pairs that it has signed: for a server on loopback, and for a client."""

    directory: pathlib.Path

    def __getattr__(self, name):
        """`ca`, `server` and `client` are certificates, `server_key` and `client_key` their keys."""
        return self.directory / (name.replace("_key", ".key") if name.endswith("_key") else f"{name}.pem")

    def sign(self, name, subject="client"):
        """Makes the pair `name`.pem and `name`.key."""
        _openssl(self.directory, f"""
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={subject} \
                -keyout {name}.key -out {name}.csr
            printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' > extensions
            openssl x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                -extfile extensions -out {name}.pem
            """)


def _openssl(directory, commands):
    subprocess.run(["sh", "-ec", commands], cwd=directory, check=True, capture_output=True)


def make_authority(directory):
    _openssl(directory, """
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
            -subj /CN=test-ca -keyout ca.key -out ca.pem
        """)
    authority = Authority(directory)
    authority.sign("server", "redis")
    authority.sign("client")
    return authority
