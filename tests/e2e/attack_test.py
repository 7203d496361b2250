"""`serve` under attack: connections that only hold a place and forms of picture bombs, while honest callers ask for predictions.
All of these are answered, the server's memory stays bounded, and one Ctrl-C ends it.

    attack_test.py PROGRAM [--requests N] [--within SECONDS]

Prints the figures. `--within` bounds the time of each honest answer and of the end; for a machine that does nothing else.
"""
import argparse
import http.client
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib

WEIGHTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "weights",
                       "alexnet-small-cats-dogs.safetensors")
MEMORY_MB = 400


def png(width, height, bits, color, rows):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def one_bit_png(side):
    return png(side, side, 1, 0, bytes((1 + (side + 7) // 8) * side))


def form(pictures):
    parts = b"".join(b'--edge\r\nContent-Disposition: form-data; name="f"; filename="%d.png"\r\n\r\n%s\r\n' % (i, p)
                     for i, p in enumerate(pictures))
    return parts + b"--edge--\r\n"


def post(port, body, kind, timeout):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", "/predict", body, {"Content-Type": kind})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Attackers:
    """Threads that go on until told to end, whatever happens to their connections."""

    def __init__(self, port):
        self.port, self.ended, self.threads, self.counts = port, threading.Event(), [], {}

    def start(self, attack, count):
        for i in range(count):
            self.threads.append(threading.Thread(target=self.repeat, args=(attack, i), daemon=True))
            self.threads[-1].start()

    def repeat(self, attack, number):
        while not self.ended.is_set():
            try:
                attack(number)
            except (OSError, http.client.HTTPException):
                pass
            self.counts[attack.__name__] = self.counts.get(attack.__name__, 0) + 1
            self.ended.wait(0.01)

    def drip(self, number):
        """A byte of a request now and then: of the first line, of the headers, of the body."""
        start = (b"GET / HT", b"POST /predict HTTP/1.1\r\nHost: localhost\r\nX: ",
                 b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")[number % 3]
        with socket.create_connection(("127.0.0.1", self.port), 30) as s:
            s.sendall(start)
            while not self.ended.wait(3):
                s.sendall(b"x")

    def crowd(self, number):
        """Hundreds of connections that say nothing."""
        held = []
        try:
            for _ in range(100):
                held.append(socket.create_connection(("127.0.0.1", self.port), 30))
            self.ended.wait(3)
        finally:
            for s in held:
                s.close()

    def bombs(self, number):
        """Pictures beyond the limits, and as large as they allow."""
        post(self.port, self.bomb_forms[number % len(self.bomb_forms)], "multipart/form-data; boundary=edge", 60)

    bomb_forms = ()


def peak_memory(process):
    with open(f"/proc/{process.pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) // 1024


def ask(port, requests, times, failures):
    picture = png(300, 200, 8, 2, b"".join(b"\0" + bytes([y, 90, 40] * 300) for y in range(200)))
    for _ in range(requests):
        begun = time.monotonic()
        try:
            status, text = post(port, picture, "image/png", 60)
            if status != 200:
                failures.append(f"{status} {text[:200]}")
        except (OSError, http.client.HTTPException) as error:
            failures.append(repr(error))
        times.append(time.monotonic() - begun)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--within", type=float, help="seconds for each honest answer, and for the end")
    arguments = parser.parse_args()
    if subprocess.run([arguments.program, "serve", "--help"], capture_output=True).returncode != 0:
        print("skipped: the program was built without cpp-httplib")
        sys.exit(77)
    server = subprocess.Popen([arguments.program, "serve", "--weights", WEIGHTS, "--port", "0", "--threads", "2"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    wrong = []
    try:
        port = int(server.stdout.readline().rstrip("/\n").rsplit(":", 1)[1])
        deep = png(4500, 4500, 16, 6, bytes(4500 * 36001))  # 20 million pixels of 64 bits
        Attackers.bomb_forms = (form([one_bit_png(10000)] * 16), form([deep] * 4), form([one_bit_png(7000)] * 4),
                                form([one_bit_png(3500)] * 16))
        attackers = Attackers(port)
        attackers.start(attackers.drip, 16)
        attackers.start(attackers.crowd, 2)
        attackers.start(attackers.bombs, 4)
        time.sleep(1)
        times, failures = [], []
        callers = [threading.Thread(target=ask, args=(port, arguments.requests // 4, times, failures)) for _ in range(4)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        memory = peak_memory(server)
        begun = time.monotonic()
        server.send_signal(signal.SIGINT)
        try:
            code = server.wait(60)
        except subprocess.TimeoutExpired:
            code = "nothing"
        end = time.monotonic() - begun
        attackers.ended.set()
        times.sort()
        print(f"{len(times)} honest requests, {len(failures)} failed; median {times[len(times) // 2]:.3f} s, "
              f"longest {times[-1]:.3f} s; peak memory {memory} MB; Ctrl-C to end {end:.2f} s; attacks {attackers.counts}")
        wrong += [f"not answered: {f}" for f in failures[:5]]
        if memory >= MEMORY_MB:
            wrong.append(f"{memory} MB are not below {MEMORY_MB}")
        if code != 0:
            wrong.append(f"serve ended with {code}")
        if arguments.within and max(times[-1], end) > arguments.within:
            wrong.append(f"more than {arguments.within} s")
    finally:
        server.kill()
    if wrong:
        sys.exit("\n".join(wrong))
    print("passed")


if __name__ == "__main__":
    main()
