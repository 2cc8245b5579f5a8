"""Tokens for tests: keys of each kind, files of them, and what is signed with them by another library (PyJWT)."""

import hmac
import json
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from jwt.utils import base64url_encode

SECRET = "an example secret of more than thirty-two bytes, and of more than sixty-four"

_rsa_key = None


def rsa_key():
    """One for all tests, because making one takes long."""
    global _rsa_key
    _rsa_key = _rsa_key or rsa.generate_private_key(65537, 2048)
    return _rsa_key


def ec_key(algorithm="ES256"):
    return ec.generate_private_key(ec.SECP256R1() if algorithm == "ES256" else ec.SECP384R1())


def key_for(algorithm):
    """What signs with the algorithm."""
    return {"H": lambda: SECRET, "E": lambda: ec_key(algorithm)}.get(algorithm[0], rsa_key)()


def jwk(key, algorithm, kid=None):
    """The key as a gateway gets it."""
    if algorithm[0] == "H":
        members = {"kty": "oct", "k": base64url_encode(key.encode()).decode()}
    elif algorithm[0] == "E":
        members = ec_jwk(key)
    else:
        members = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
        members.pop("key_ops", None)
    return {**members, "alg": algorithm, **({"kid": kid} if kid else {})}


def ec_jwk(key):
    numbers = key.public_key().public_numbers()
    size = (key.curve.key_size + 7) // 8
    return {"kty": "EC", "crv": f"P-{key.curve.key_size}",
            **{name: base64url_encode(value.to_bytes(size, "big")).decode()
               for name, value in (("x", numbers.x), ("y", numbers.y))}}


def jwk_set(*keys):
    return json.dumps({"keys": list(keys)})


def pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def claims(subscribe=(), publish=(), ttl_s=60, **others):
    now = int(time.time())
    return {"exp": now + ttl_s, "iat": now, "tideway": {"subscribe": list(subscribe), "publish": list(publish)}, **others}


def token(subscribe=(), publish=(), key=SECRET, algorithm="HS256", header=None, **others):
    return jwt.encode(claims(subscribe, publish, **others), key, algorithm, headers=header)


def raw_token(header, payload, secret=SECRET):
    """Signed with HS256, whatever it says; texts or objects."""
    parts = [part if isinstance(part, str) else json.dumps(part) for part in (header, payload)]
    text = b".".join(base64url_encode(part.encode()) for part in parts)
    signature = hmac.digest(secret.encode(), text, "sha256")
    return (text + b"." + base64url_encode(signature)).decode()
