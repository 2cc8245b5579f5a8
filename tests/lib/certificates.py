"""Certificates for tests, made by openssl."""

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
