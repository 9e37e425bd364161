import Foundation
import Namespaces
import TestSupport
import Testing

/// Programs as they are written for BSD and compiled for Linux, or not compiled at all.
@Suite(.serialized) struct BSDProgramTests {
  private let host: LinuxScenario
  private let diverting = "add 100 divert 2000 icmp from any to any in"

  init() throws {
    host = try LinuxScenario()
    try host.ipfw(diverting)
  }

  // MARK: The manual page's program

  @Test(arguments: [254, 258, 44]) func `read, written back, dropped, changed, made up`(_ number: Int) throws
  {
    let passed = try BSDProgram(client: number, "pass", count: 3, in: host).ping(3)
    #expect(passed.answered == 3 && passed.status == 0)
    #expect(passed.lines == Array(repeating: "in em0 100 84", count: 3))
    let dropped = try BSDProgram(client: number, "drop", count: 3, in: host).ping(3)
    #expect(dropped.answered == 0 && dropped.status == 0)
    #expect(dropped.lines == passed.lines)
    // Requests that it answers by itself never reach B: its answers are 8 bytes shorter.
    let before = try echoRequests()
    let answered = try BSDProgram(client: number, "answer", count: 3, in: host).ping(3)
    #expect(answered.answered == 3 && answered.status == 0)
    #expect(try echoRequests() == before)
    try host.ipfw("add 50 count icmp from 192.0.2.2 to 192.0.2.1 out icmptypes 8")
    _ = try host.divertExec([BSDProgram.client, String(number), "inject", "0"])
    #expect(try host.packets(countedBy: 50) == 1)
  }

  private func echoRequests() throws -> Int {
    let line = try host.b.run("grep", "^Icmp: [0-9]", "/proc/net/snmp").output
    // Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos …
    return Int(line.split(separator: " ")[9]) ?? -1
  }

  @Test func `the direction, and names that do not fit`() throws {
    try host.ipfw("delete 100")
    try host.ipfw("add 100 divert 2000 icmp from any to any")
    let both = try BSDProgram(client: 258, "pass", count: 4, in: host).ping(2)
    #expect(both.answered == 2)
    // The second request may come before the first answer.
    #expect(both.lines.sorted() == ["in em0 100 84", "in em0 100 84", "out  100 84", "out  100 84"])
    // divert(4): the name is there "if it fits". The packet finds its way back all the same.
    try host.b.run("ip", "link", "set", "em0", "down")
    try host.b.run("ip", "link", "set", "em0", "name", "interface0")
    try host.b.run("ip", "link", "set", "interface0", "up")
    let unnamed = try BSDProgram(client: 258, "pass", count: 4, in: host).ping(2)
    #expect(unnamed.answered == 2)
    #expect(unnamed.lines.sorted() == ["in  100 84", "in  100 84", "out  100 84", "out  100 84"])
  }

  /// Neighbours are looked for by multicast, from link-local addresses: without the interface, which an address has no
  /// field for, such packets would not find their way out again.
  @Test func `IPv6, with all it needs, and multicast`() throws {
    try host.ipfw("delete 100")
    try host.a.run("ip", "addr", "add", "2001:db8::1/64", "dev", "vethA", "nodad")
    try host.b.run("ip", "addr", "add", "2001:db8::2/64", "dev", "em0", "nodad")
    try host.a.run("ip", "-6", "neigh", "flush", "dev", "vethA")
    try host.b.run("ip", "-6", "neigh", "flush", "dev", "em0")
    try host.ipfw("add 100 divert 2000 ip from any to any")
    let program = try BSDProgram(client: 258, "pass", count: 10_000, in: host)
    let ping = ["ping", "-6", "-n", "-c", "3", "-i", "0.2", "-W", "3"]
    let there = try host.a.run(ping + ["2001:db8::2"], expecting: nil)
    #expect(there.output.contains("3 received"), "\(there)")
    try host.b.run("ip", "-6", "neigh", "flush", "dev", "em0")
    let back = try host.b.run(ping + ["2001:db8::1"], expecting: nil)
    #expect(back.output.contains("3 received"), "\(back)")
    try host.b.run("ping", "-n", "-c", "1", "-W", "1", "-I", "em0", "224.0.0.1", expecting: nil)
    #expect(try host.packets(countedBy: 100) > 12)
    let seen = try host.a.run("grep", "^IpExt: [0-9]", "/proc/net/netstat").output.split(separator: " ")
    #expect((Int(seen[3]) ?? 0) > 0, "a multicast packet has come to A: \(seen)")
    program.kill()
  }

  @Test(arguments: [
    "select", "poll", "epoll", "edge", "other-names", "non-blocking", "threads", "fork", "peek", "read",
    "batch", "timed-batch",
  ]) func `ways to wait and to read`(_ way: String) throws {
    let result = try BSDProgram(client: 254, way, count: 5, in: host).ping(5)
    #expect(result.answered == 5 && result.status == 0, "\(result.lines)")
    #expect(result.lines.count == 5 && result.lines.allSatisfy { $0.hasSuffix(" 84") }, "\(result.lines)")
  }

  @Test(arguments: [
    "closed-zero", "few-descriptors", "chroot-first", "chroot-between", "chroot-after", "setuid-between",
    "setuid-after", "alone-between", "exec-after", "handed-over", "moved", "daemon", "cancelled", "seccomp",
    "signal", "early", "spawn", "vfork", "interrupted",
  ]) func `what happens to a socket and its program`(_ life: String) throws {
    for number in [258, 44] {
      let result = try BSDProgram(client: number, life, count: 2, in: host).ping(2)
      #expect(result.answered == 2 && result.status == 0, "\(number): \(result.lines)")
      let lines = result.lines.filter { $0 != "ready" }
      #expect(lines == ["in em0 100 84", "in em0 100 84"])
    }
  }

  /// The packet comes in a frame that is padded, as on Ethernet the smallest ones are: no call speaks of that.
  @Test func `every detail of reading`() throws {
    let program = try BSDProgram(client: 258, "details", count: 1, in: host)
    let frame = """
      import socket
      s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("vethA", 0))
      packet = "4500001c000100004001f6dcc0000201c00002020800f7fd00010001"
      s.send(bytes.fromhex("ffffffffffff" "020000000001" "0800" + packet + "00" * 18))
      """
    try host.a.run("python3", "-c", frame)
    let (lines, status) = program.end()
    #expect(status == 0)
    var expected = Self.details.split(separator: "\n").map(String.init)
    let flags = (0..<6).flatMap { number in
      let result = number == 5 ? "EOPNOTSUPP" : "28"
      return ["recv", "recv of less", "recvmsg"].map { "odd flags, \($0): \(result)" }
        + ["odd flags, recvmmsg: \(number == 5 ? "EOPNOTSUPP" : "1")"]
    }
    if let place = expected.firstIndex(of: "a short buffer: 5") {
      expected.insert(contentsOf: flags, at: place + 1)
    }
    for (line, wanted) in zip(lines, expected) { #expect(line == wanted) }
    #expect(lines.count == expected.count)
  }

  private static let details = """
    FIONREAD without a packet: 0
    SIOCATMARK: 0
    FIONBIO: 0
    recv: EAGAIN
    FIONBIO off: 0
    read of nothing, nothing there: 0
    readv of nothing, nothing there: 0
    readv of too many: EINVAL
    recvmmsg of none: 0
    recvmmsg within no time at all: EINVAL
    lseek: ESPIPE
    TCGETS: ENOTTY
    FIONREAD: 28
    read of nothing: 0
    recv of nothing, looking: 0
    MSG_TRUNC: 28
    a short buffer: 5
    address in 0 bytes: 16, written 0
    address in 4 bytes: 16, written 4
    address in 16 bytes: 16, written 16
    address in 128 bytes: 16, written 16
    no address, but a size: 28
    no address: 28
    0 pieces of a byte: 0 cut
    1 pieces of a byte: 1 cut
    27 pieces of a byte: 27 cut
    28 pieces of a byte: 28
    29 pieces of a byte: 28
    1022 pieces of a byte: 28
    1023 pieces of a byte: 28
    1024 pieces of a byte: 28
    10 pieces of a byte: 28 cut
    taken: 28
    sent in pieces of a byte: 28
    sent in as many pieces as there may be: 28
    taken again: EAGAIN
    """

  @Test func `a program outlives divertd`() throws {
    let daemon = try RunningDaemon(in: host.c)
    let words = [BSDProgram.client, "258", "outlives", "2000"]
    let program = try host.c.start(
      [Programs.path("divert"), "exec", "--"] + words, environment: daemon.environment)
    #expect(try program.line() == "ready")
    daemon.process.signal(SIGTERM)
    daemon.process.result()
    var lines: [String] = []
    repeat { lines.append(try program.line()) } while lines.last != "ready"
    let next = try RunningDaemon(in: host.c, socket: daemon.socket)
    program.signal(SIGUSR1)
    let result = program.result()
    #expect(result.status == 0)
    lines += result.output.split(separator: "\n").map(String.init)
    #expect(
      lines == [
        "poll: 1", "FIONREAD: 0", "recv: ENETDOWN", "poll again: 0", "sendto: ENETDOWN",
        "bind without divertd: ENETDOWN",
        "socket without divertd: EPROTONOSUPPORT", "ready", "sendto after a restart: ENETDOWN",
        "bind of an old socket: ENETDOWN", "bind of an old one that was bound: ENETDOWN",
        "bind of a new one: 0", "sendto by a new one: 28",
      ])
    withExtendedLifetime(next) {}
  }

  @Test func `no memory is allocated to read and write`() throws {
    let result = try BSDProgram(client: 254, "allocation", count: 5, in: host).ping(5)
    #expect(result.answered == 5 && result.status == 0, "\(result.lines)")
  }

  @Test func `the port is free when the last copy is gone`() throws {
    let first = try BSDProgram(client: 254, "drop", count: 100, in: host)
    let second = try host.divertExec([BSDProgram.client, "254", "pass", "2000", "1"], expecting: 1)
    #expect(second.errors == "bind: Address already in use\n")
    first.kill()
    let third = try BSDProgram(client: 254, "pass", count: 1, in: host).ping(1)
    #expect(third.answered == 1)
  }

  @Test func `44 is AF_XDP to programs that mean it`() throws {
    #expect(try host.divertExec([BSDProgram.client, "44", "xdp", "0"]).output == "AF_XDP\n")
  }

  // MARK: Every errno

  @Test(arguments: [254, 258, 44]) func `every error that a BSD program may see`(_ number: Int) throws {
    try host.ipfw("add 200 deny udp from any to 192.0.2.77 out")
    try host.b.run("ip", "neigh", "add", "192.0.2.77", "lladdr", "02:00:00:00:00:01", "dev", "em0")
    let output = try host.divertExec([BSDProgram.client, String(number), "errors", "2005"]).output
    let told = output.split(separator: "\n").map(String.init)
    let expected = Self.errors(number).split(separator: "\n").map(String.init)
    for (line, wanted) in zip(told, expected) { #expect(line == wanted) }
    #expect(told.count == expected.count)
  }

  private static func errors(_ number: Int) -> String {
    """
    socket: ok
    \(unconnected(port: 0))
    bind of another family: EAFNOSUPPORT
    bind with a short address: EINVAL
    bind with a long address: EINVAL
    bind: ok
    bind again: EINVAL
    bind of a port in use: EADDRINUSE
    bind of port 0: ok
    getsockname: ok
    a port was picked: yes
    \(unconnected(port: 2005))
    write: EDESTADDRREQ
    writev: EDESTADDRREQ
    send: EDESTADDRREQ
    sendmsg: EDESTADDRREQ
    sendto NULL: EDESTADDRREQ
    no header: EINVAL
    nothing: EINVAL
    no header, incoming: EINVAL
    another family: EAFNOSUPPORT
    another family and no header: EINVAL
    version 5: EAFNOSUPPORT
    version 5, incoming: EAFNOSUPPORT
    longer than it is: EINVAL
    longer than it is, incoming: ok
    IPv6 longer than it is: EINVAL
    too long: EMSGSIZE
    longer than a link takes: EMSGSIZE
    too long, incoming: EMSGSIZE
    no such address: EADDRNOTAVAIL
    no such interface, no such address: EADDRNOTAVAIL
    no such interface, but an address: ok
    a name without an end, and no such address: EADDRNOTAVAIL
    an interface, the address does not matter: ok
    outgoing: ok
    outgoing, longer than its own length: ok
    a short address: EINVAL
    an address of one byte: EINVAL
    no route: EHOSTUNREACH
    denied by a rule: EACCES
    larger than the route takes: EMSGSIZE
    a neighbour: ok
    refused beside another thread: 0
    denied, alone again: EACCES
    SO_TYPE: 3
    SO_DOMAIN: \(number == 44 ? 44 : 2)
    SO_PROTOCOL: \(number == 44 ? 0 : number)
    SO_RCVBUF at first: 65636
    SO_SNDBUF at first: 65636
    IP_HDRINCL: 1
    SO_RCVBUF set: ok
    SO_RCVBUF get: ok
    SO_RCVBUF: 4194304
    SO_SNDBUF set: ok
    SO_SNDBUF get: ok
    SO_SNDBUF: 70000
    SO_REUSEADDR set: ok
    SO_REUSEADDR get: ok
    SO_REUSEADDR: 1
    IP_HDRINCL set: ok
    IP_HDRINCL get: ok
    IP_HDRINCL: 1
    SO_REUSEPORT: ok
    SO_REUSEPORT_LB: ok
    SO_USER_COOKIE: ok
    IP_TTL: ok
    SO_DONTROUTE: ok
    IP_DIVERTFL: ENOPROTOOPT
    FIONREAD: ok
    SO_RCVTIMEO: ok
    nothing within SO_RCVTIMEO: EAGAIN
    nothing, not waiting: EAGAIN
    socket without privilege: EPERM
    """
  }

  private static func unconnected(port: Int) -> String {
    """
    connect: EOPNOTSUPP
    listen: EOPNOTSUPP
    accept: EOPNOTSUPP
    shutdown: ENOTCONN
    getpeername: ENOTCONN
    getsockname: ok
    name: 2 00000000 \(port)
    """
  }

  /// Each of them is one that an incoming packet may be written back by.
  @Test func `a host with many addresses`() throws {
    let program = """
      import socket, subprocess
      lines = "".join("addr add 198.18.0.%d/32 dev em0\\n" % i for i in range(1, 201))
      subprocess.run(["ip", "-batch", "-"], input=lines.encode(), check=True)
      s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 254)
      packet = bytes.fromhex("4500001c000100004001f6dcc0000201c00002020800f7fd00010001")
      print([s.sendto(packet, ("198.18.0.%d" % i, 0)) for i in (1, 64, 65, 128, 200)])
      """
    #expect(try host.divertExec(["python3", "-c", program]).output == "[28, 28, 28, 28, 28]\n")
  }

  @Test func `ports below 1024 are the superuser's`() throws {
    let program = """
      import os, socket
      s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 254)
      os.setuid(65534)
      try: s.bind(("0.0.0.0", 1023))
      except PermissionError as error: print(error.errno)
      s.bind(("0.0.0.0", 1024)); print(s.getsockname())
      """
    #expect(try host.divertExec(["python3", "-c", program]).output == "\(EACCES)\n('0.0.0.0', 1024)\n")
  }
}
