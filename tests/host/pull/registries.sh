# shellcheck shell=bash disable=SC2016  # a hash has dollars
set -e
mkdir -p /srv/reg && cd /srv/reg
# One authority; registry and token server share a certificate of it.
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=tests -keyout ca.key -out ca.crt 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=ann -keyout client.key -out client.csr 2>/dev/null
openssl x509 -req -in client.csr -CA ca.crt -CAkey ca.key -days 30 -out client.crt 2>/dev/null
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -days 30 -out server.crt 2>/dev/null \
    -extfile <(echo "subjectAltName=DNS:localhost,DNS:registry.test,DNS:beyond.test,IP:127.0.0.1")
echo "127.0.0.1 registry.test" >>/etc/hosts
# ann, right
echo 'ann:$2b$04$RYthJv3QIP8JDqtArmfl3e/tB7C6bscbDvAqbcDO9zDOw0oYgQO2W' >users
settings() { # NAME PORT TLS AUTH
    cat >"$1.yml" <<CONF
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: /srv/reg/$1}, delete: {enabled: true}}
http: {addr: "127.0.0.1:$2"$3}
$4
CONF
    systemd-run -q --unit "reg-$1" docker-registry serve "/srv/reg/$1.yml"
}
tls=', tls: {certificate: /srv/reg/server.crt, key: /srv/reg/server.key}'
settings plain 5000 "" ""
settings basic 5001 "$tls" 'auth: {htpasswd: {realm: tests, path: /srv/reg/users}}'
settings mutual 5004 "${tls%\}}, clientcas: [/srv/reg/ca.crt]}" ""
settings token 5002 "$tls" 'auth: {token: {realm: "https://localhost:5003/token", service: the-registry, issuer: tests, rootcertbundle: /srv/reg/ca.crt}}'
systemd-run -q --unit reg-tokens python3 /srv/reg/tokens.py /srv/reg/server.crt /srv/reg/server.key /srv/reg/tokens.log
for port in 5001 5002 5003 5004; do
    mkdir -p "/etc/containers/certs.d/localhost:$port"
    cp ca.crt "/etc/containers/certs.d/localhost:$port/"
done
cat >/etc/containers/policy.json <<'JSON'
{"default": [{"type": "insecureAcceptAnything"}],
 "transports": {"docker": {"localhost:5000/rejected": [{"type": "reject"}]}}}
JSON
cat >/etc/containers/registries.conf.d/tests.conf <<'CONF'
unqualified-search-registries = ["localhost:5000"]
[[registry]]
location = "localhost:5000"
insecure = true
[[registry]]
prefix = "rewritten.test/there"
location = "localhost:5000/names"
insecure = true
[[registry]]
location = "mirrored.test/names"
[[registry.mirror]]
location = "localhost:1/nobody"
insecure = true
[[registry.mirror]]
location = "localhost:5000/names"
insecure = true
[[registry]]
location = "blocked.test"
blocked = true
[aliases]
"short" = "localhost:5000/names/aliased"
CONF
for port in 5000 5001 5002 5003 5004; do
    for _ in $(seq 200); do
        curl -sk --cert client.crt --key client.key -o /dev/null "https://localhost:$port/" || curl -s -o /dev/null "http://localhost:$port/" && continue 2
        sleep 0.1
    done
    echo "nobody listens at $port" >&2
    exit 1
done
