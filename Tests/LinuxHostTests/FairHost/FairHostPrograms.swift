/// Small programs of the fair host's neighbours.
enum FairHostPrograms {
  /// A transparent proxy: it answers for the address that the client has asked for.
  static let proxy = """
    import socket
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.IPPROTO_IP, 19, 1)  # IP_TRANSPARENT
    s.bind(("0.0.0.0", 3128))
    s.listen()
    print("ready", flush=True)
    while True:
      c, _ = s.accept()
      c.sendall(("proxied for %s:%d" % c.getsockname()).encode())
      c.close()
    """

  /// Sends a quarter of a megabyte to each client, by IPv4 and IPv6.
  static let server = """
    import socket
    s = socket.socket(socket.AF_INET6)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("::", 81))
    s.listen()
    print("ready", flush=True)
    while True:
      c, _ = s.accept()
      c.sendall(bytes(250000))
      c.close()
    """

  /// Connects to an address and a port, and prints what comes: text, or how much of it.
  static let fetch = """
    import socket, sys
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20)
    data = b""
    while chunk := s.recv(65536): data += chunk
    print(data.decode() if len(data) < 100 else len(data))
    """

  /// Sends a datagram from each of some ports, as a user, to a port that is closed, and prints how many were refused:
  /// destination, user, first port, count.
  static let datagrams = """
    import os, socket, sys
    to, user, first, count = sys.argv[1], *map(int, sys.argv[2:])
    os.seteuid(user)
    refused = 0
    for port in range(first, first + count):
      s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM)
      s.settimeout(10)
      s.bind(("::" if ":" in to else "0.0.0.0", port))
      # IP_RECVERR, IPV6_RECVERR. A socket that is connected instead has a random hash that next hops are chosen by.
      s.setsockopt(*((41, 25, 1) if ":" in to else (0, 11, 1)))
      s.sendto(bytes(100), (to, 9))
      try: s.recv(1)
      except ConnectionRefusedError: refused += 1
      except TimeoutError: pass
    print(refused, "refused")
    """

  /// Watches all interfaces of a namespace, and prints on SIGTERM what came in by them, sorted: a line for each packet without what differs from run to run (identifications, tokens, checksums). How many segments a TCP
  /// connection takes, and how often a DHCP client asks, depends on time: of these it prints what there was, once.
  /// Neighbour discovery and group management are not IP traffic of users.
  static let watcher = """
    import ipaddress, select, signal, socket, struct
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
    end, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGTERM, lambda *_: None)
    print("ready", flush=True)
    def mac(b): return "x:x:x" if b[0] & 1 and b[0] != 255 else b.hex(":")
    def packet(kind, p):
      if kind == 0x800:
        size = (p[0] & 15) * 4
        proto, ttl, fragment = p[9], p[8], struct.unpack("!H", p[6:8])[0]
        ends = "%s > %s" % (ipaddress.ip_address(p[12:16]), ipaddress.ip_address(p[16:20]))
        length, body = struct.unpack("!H", p[2:4])[0], p[size:]
        head, later = "tos %d ttl %d frag %x" % (p[1], ttl, fragment), fragment & 0x1fff
      else:
        proto, ttl, body = p[6], p[7], p[40:]
        ends = "%s > %s" % (ipaddress.ip_address(p[8:24]), ipaddress.ip_address(p[24:40]))
        length = 40 + struct.unpack("!H", p[4:6])[0]
        head, later = "ttl %d" % ttl, 0
        if proto == 44:
          fragment = struct.unpack("!H", body[2:4])[0]
          proto, body, head, later = body[0], body[8:], head + " frag %x" % fragment, fragment & 0xfff8
        if proto == 0: proto, body = body[0], body[8 * (body[1] + 1):]
      if proto == 2 or proto == 58 and not later and 130 <= body[0] <= 143: return None
      if proto == 6: return ends + " tcp"
      if proto == 17 and not later:
        source, port = struct.unpack("!HH", body[:4])
        if port in (67, 68): return ends + " dhcp"
        if port == 4789:
          inner = packet(struct.unpack("!H", body[28:30])[0], body[30:]) if body[28:30] in (b"\\x08\\0", b"\\x86\\xdd") else None
          return inner and "%s %s vxlan (%s %s %s)" % (ends, head, mac(body[16:22]), mac(body[22:28]), inner)
        return "%s %s length %d udp %d > %d" % (ends, head, length, source, port)
      if proto in (1, 58) and not later: head += " type %d code %d" % (body[0], body[1])
      return "%s %s length %d proto %d" % (ends, head, length, proto)
    lines, once = [], set()
    def drain():
      while True:
        try: frame, address = s.recvfrom(70000, socket.MSG_DONTWAIT)
        except BlockingIOError: return
        if address[2] == 4 or address[1] not in (0x800, 0x86dd): continue  # PACKET_OUTGOING
        if address[0] == "lo": continue
        text = packet(address[1], frame[14:])
        if not text: continue
        line = "%s %s > %s %s" % (address[0], mac(frame[6:12]), mac(frame[:6]), text)
        if " tcp" in line or " dhcp" in line: once.add(line)
        else: lines.append(line)
    while True:
      ready = select.select([s, end], [], [])[0]
      drain()
      if end in ready: break
    drain()
    print("\\n".join(sorted(lines + list(once))))
    """
}
