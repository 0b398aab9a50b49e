# The broker of the image. The store comes from the environment, LEASEHOLD_PG_CONNECTION_URL:
# postgresql://broker:PASSWORD@postgres:5432/leasehold

listener "tcp" {
  address     = "0.0.0.0:8200"
  # TLS is not served here: publish the port on a loopback or a private network only, and put a TLS proxy before it.
  tls_disable = true
}

storage "postgresql" {
}

# Made by `leasehold operator init`; a restart then unseals by itself. Who would rather type shares leaves this out.
seal "file" {
  path = "/var/lib/leasehold/root.key"
}

log_format = "json"
