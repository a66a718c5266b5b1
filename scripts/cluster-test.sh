#!/usr/bin/env bash
# Label on a real Slurm: one node on this machine, set up in a scratch folder and taken down at the end.
#
#   scripts/cluster-test.sh PYTHON      the interpreter that has spotlabel and submitit
#   KEEP=1                              keep the scratch folder (logs of the daemons, outputs)
#
# As root on Debian or Ubuntu, Slurm and munge are installed; elsewhere they have to be there. No systemd, no
# cgroups and no accounting are used, and nothing listens but on 127.0.0.1.
set -euo pipefail

python=${1:?usage: cluster-test.sh PYTHON}
say() { printf 'cluster-test: %s\n' "$*"; }
die() { say "error: $*" >&2; exit 1; }

install_slurm() {
    command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null && return
    command -v apt-get >/dev/null || die "Slurm is not installed (packages slurm-wlm munge)"
    say "installing slurm-wlm and munge"
    apt-get update -qq
    # The packages' own daemons are not wanted: this stops them from being started.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
}

free_port() { "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

write_configuration() {
    local host
    host=$(hostname -s)
    mkdir -p "$scratch"/{state,spool,logs}
    cat >"$SLURM_CONF" <<CONF
ClusterName=spotlabel
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$scratch/munge/socket,cred_expire=10
StateSaveLocation=$scratch/state
SlurmdSpoolDir=$scratch/spool
SlurmctldPidFile=$scratch/slurmctld.pid
SlurmdPidFile=$scratch/slurmd.pid
SlurmctldLogFile=$scratch/logs/slurmctld.log
SlurmdLogFile=$scratch/logs/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
ReturnToService=2
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmdParameters=config_overrides
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 RealMemory=10000 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
}

start_munge() {
    install -d -o munge -g munge -m 755 "$scratch/munge"
    head -c 1024 /dev/urandom >"$scratch/munge/key"
    chown munge: "$scratch/munge/key"
    chmod 400 "$scratch/munge/key"
    runuser -u munge -- munged --force --key-file="$scratch/munge/key" --socket="$scratch/munge/socket" \
        --pid-file="$scratch/munge/pid" --log-file="$scratch/munge/log" --seed-file="$scratch/munge/seed"
    pids+=("$(cat "$scratch/munge/pid")")
}

start_slurm() {
    slurmctld -D -i >"$scratch/logs/slurmctld.out" 2>&1 &
    pids+=($!)
    slurmd -D >"$scratch/logs/slurmd.out" 2>&1 &
    pids+=($!)
    for _ in $(seq 60); do
        [ "$(sinfo --noheader --format=%t 2>/dev/null)" = idle ] && return
        sleep 0.5
    done
    tail -n 20 "$scratch"/logs/* >&2
    die "Slurm did not come up"
}

tear_down() {
    local status=$?
    trap - EXIT INT TERM
    [ ${#pids[@]} -lt 2 ] || { scancel --user=root >/dev/null 2>&1; sleep 2; } || true
    local at
    for ((at = ${#pids[@]} - 1; at >= 0; at--)); do
        kill "${pids[at]}" 2>/dev/null || true
        for _ in $(seq 50); do kill -0 "${pids[at]}" 2>/dev/null || break; sleep 0.1; done
        kill -9 "${pids[at]}" 2>/dev/null || true
    done
    if [ "${KEEP:-0}" = 1 ]; then say "kept: $scratch"; else rm -rf "$scratch"; fi
    exit "$status"
}

[ "$(id -u)" = 0 ] || die "needs root: Slurm's daemons start jobs for users"
"$python" -c 'import submitit' 2>/dev/null || die "submitit is not installed: pip install 'spotlabel[cluster]'"
install_slurm
pids=()
scratch=$(mktemp -d -t spotlabel-cluster-XXXXXX)
chmod 755 "$scratch"
export SLURM_CONF=$scratch/slurm.conf
trap tear_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
write_configuration
start_munge
start_slurm
say "Slurm $(sinfo --version | cut -d' ' -f2) is up: $(sinfo --noheader --format='%D node, %c processors, %m MB')"
"$python" -m tests.cluster.drive "$scratch/work" &
pids+=($!)
wait $!  # not in the foreground, or a signal to this script would have to wait
