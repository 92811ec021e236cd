"""A neighbour that abuses local discovery (BEP 14): noise, headers without end, and announcements of the
torrent at ports where nobody listens. Says "ready" once it has begun."""

import itertools
import random
import socket
import sys
import time

GROUP = ("239.192.152.143", 6771)
# Below what a client reads in a second, so that what others say is read too.
PAUSE = 0.04


def announcement(port, info_hash, more=""):
    return (
        f"BT-SEARCH * HTTP/1.1\r\nHost: {GROUP[0]}:{GROUP[1]}\r\nPort: {port}\r\n"
        f"Infohash: {info_hash}\r\n{more}\r\n\r\n"
    ).encode()


ip, info_hash = sys.argv[1:]
chance = random.Random(1)
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(ip))
for number in itertools.count():
    kind = number % 4
    if kind == 0:
        datagram = chance.randbytes(chance.randrange(1400))
    elif kind == 1:
        datagram = announcement(number % 1000 + 1, info_hash)
    elif kind == 2:
        datagram = announcement(number % 1000 + 1, info_hash, "Infohash: " * 130)
    else:
        datagram = announcement("99999999999999999999", "0" * 1300)
    out.sendto(datagram, GROUP)
    if number == 0:
        print("ready", flush=True)
    time.sleep(PAUSE)
