#!/bin/sh
# Starts a Dask scheduler and two workers on this machine, as they would be started on three, and ends
# them with Ctrl-C. All connections are encrypted, and only who has the certificate of this cluster is
# let in: so keep its folder to yourself. It needs openssl, and the extra `distributed`:
#
#   samples/cluster/start.sh ~/cluster 8786
#
# In another shell:
#
#   . ~/cluster/tls.env
#   clarityq-import run big.parquet --product-id 7d0f… --cluster tls://127.0.0.1:8786
#
# docs/scale.md shows how to try it without the service.
set -eu
umask 077
folder=${1:-cluster}
port=${2:-8786}
mkdir -p "$folder"
cd "$folder"

# One certificate for all, which signs itself: whoever has it belongs to the cluster.
if [ ! -e cluster.crt ]; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=clarityq-cluster \
        -keyout cluster.key -out cluster.crt 2>openssl.log
fi
{
    echo "export DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=true"
    echo "export DASK_DISTRIBUTED__COMM__TLS__CA_FILE='$PWD/cluster.crt'"
    for part in SCHEDULER WORKER CLIENT; do
        echo "export DASK_DISTRIBUTED__COMM__TLS__${part}__CERT='$PWD/cluster.crt'"
        echo "export DASK_DISTRIBUTED__COMM__TLS__${part}__KEY='$PWD/cluster.key'"
    done
} >tls.env
. ./tls.env

started=
trap 'kill $started 2>/dev/null; wait' EXIT
trap 'exit 0' INT TERM
dask scheduler --host "tls://127.0.0.1:$port" --no-dashboard --dashboard-address 127.0.0.1:0 &
started=$!
for number in 1 2; do
    # A worker needs one thread: the importer does many requests at a time in it.
    dask worker "tls://127.0.0.1:$port" --name "worker-$number" --host 127.0.0.1 --nthreads 1 \
        --memory-limit 0 --no-dashboard --dashboard-address 127.0.0.1:0 \
        --local-directory "$PWD/worker-$number" &
    started="$started $!"
done
wait
