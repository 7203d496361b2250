"""Two machines: network namespaces of this one, with a link between them, which mpirun reaches by a script in place of ssh."""
import atexit
import os
import signal
import subprocess

from launch import FOLDER, MPIEXEC, OPEN_MPI, check

NAMES = [f"minicnn{os.getpid()}{i}" for i in "ab"]


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True)


def set_link(state):
    ip("-n", NAMES[1], "link", "set", "wire", state)


def set_up():
    """False where this is not allowed, or there is no ip."""
    try:
        if ip("netns", "add", NAMES[0]).returncode != 0:
            return False
    except OSError:
        return False
    atexit.register(take_down)
    made = [ip("netns", "add", NAMES[1]),
            ip("link", "add", "wire", "netns", NAMES[0], "type", "veth", "peer", "name", "wire", "netns", NAMES[1])]
    for i, name in enumerate(NAMES):
        made += [ip("-n", name, "link", "set", "lo", "up"), ip("-n", name, "address", "add", f"10.9.0.{i + 1}/24", "dev", "wire")]
    made += [ip("-n", name, "link", "set", "wire", "up") for name in NAMES]
    check(all(m.returncode == 0 for m in made), [m.stderr for m in made])
    return True


def take_down():
    for name in NAMES:
        for process in ip("netns", "pids", name).stdout.split():
            os.kill(int(process), signal.SIGKILL)
        ip("netns", "del", name)


def is_up():
    return all("state UP" in ip("-n", name, "link", "show", "wire").stdout for name in NAMES)


def launcher(*words):
    """Two ranks, one on each."""
    agent = FOLDER / "agent.sh"
    agent.write_text('#!/bin/sh\nwhile case "$1" in -*) ;; *) false ;; esac; do shift; done\n'
                     f'case "$1" in *.1) at={NAMES[0]} ;; *) at={NAMES[1]} ;; esac\nshift\nexec ip netns exec $at sh -c "$*"\n')
    agent.chmod(0o755)
    here = ["ip", "netns", "exec", NAMES[0], MPIEXEC]
    if OPEN_MPI:
        return [*here, "--host", "10.9.0.1,10.9.0.2", "--bind-to", "none", "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include",
                "10.9.0.0/24", "--mca", "oob_tcp_if_include", "10.9.0.0/24", "--mca", "plm_rsh_agent", str(agent), *words]
    return [*here, "-n", "2", "-hosts", "10.9.0.1,10.9.0.2", "-iface", "wire", "-launcher", "ssh", "-launcher-exec", str(agent), *words]
