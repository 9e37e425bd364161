import Divert
import Foundation
import Namespaces
import Packets
import TestSupport
import Testing

/// What is written back unchanged leaves as it would have left: whatever the kernel's routes look at.
@Suite(.serialized) struct PathTests {
  /// B has a second way to the world: em2, to C. Behind C are 203.0.113.0/24 and 2001:db8:9::/64; by rule 200 packets to port
  /// 4000 are counted that leave by em2, by rule 300 those by em1.
  private let host: LinuxScenario

  init() throws {
    host = try LinuxScenario()
    try Namespace.connect(host.c, "vethD", "198.51.101.2/24", host.b, "em2", "198.51.101.1/24")
    for (namespace, interface, address) in [
      (host.c, "vethD", "2001:db8:3::2/64"), (host.b, "em2", "2001:db8:3::1/64"),
    ] {
      try namespace.run("ip", "addr", "add", address, "dev", interface, "nodad")
    }
    for (first, second) in [("198.51.100.2", "198.51.101.2"), ("2001:db8:2::2", "2001:db8:3::2")] {
      try host.b.run("ip", "route", "add", "default", "via", first)
      try host.b.run("ip", "route", "add", "default", "via", second, "table", "100")
      try host.b.run("ip", "route", "add", "default", "via", second, "metric", "2000")
    }
    for namespace in [host.a, host.b, host.c] {
      try namespace.run(
        "sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
    }
    try host.ipfw("add 100 divert 2000 udp from any to any 4000 out")
    try host.ipfw("add 200 count udp from any to any 4000 out xmit em2")
    try host.ipfw("add 300 count udp from any to any 4000 out xmit em1")
  }

  /// Sends datagrams of several sizes, the last one in fragments; the options say what else the socket has.
  private static let sender = """
    import os, socket, sys
    (to, _, scope), options = sys.argv[1].partition("%"), dict(word.split("=") for word in sys.argv[2:])
    s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM)
    if "user" in options:
        os.seteuid(int(options["user"]))
        s = socket.socket(s.family, s.type)
        os.seteuid(0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    if "mark" in options: s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, int(options["mark"]))
    if "device" in options: s.setsockopt(socket.SOL_SOCKET, 25, options["device"].encode())
    s.bind((options.get("source", ""), int(options.get("port", 0))))
    address = (to, 4000, 0, socket.if_nametoindex(scope)) if scope else (to, 4000)
    for size in (10, 1400, 4000)[:int(options.get("count", 3))]: s.sendto(bytes(size), address)
    """

  private func send(from namespace: Namespace, to destination: String, _ options: [String] = []) throws {
    try namespace.run(["python3", "-c", Self.sender, destination] + options)
  }

  /// What has left by em2 and by em1; what is cut later counts as one.
  private func ways() throws -> (second: UInt64, first: UInt64) {
    (try host.packets(countedBy: 200), try host.packets(countedBy: 300))
  }

  /// The rule that sends packets to the other table, what the socket has, and whether they go by em2 then.
  private static let cases: [(rule: String?, options: [String], second: Bool)] = [
    (nil, [], false), ("fwmark 7", ["mark=7"], true), ("fwmark 7", [], false),
    ("not fwmark 7", ["mark=7"], false), ("not fwmark 7", [], true),
    ("uidrange 4242-4242", ["user=4242"], true),
    ("ipproto udp sport 5000", ["port=5000"], true), (nil, ["device=em2"], true),
  ]

  private func expectWays(_ program: String, rewrites: Bool = false) throws {
    for (rule, options, second) in Self.cases {
      // No route look-up by programs can say whose a packet is.
      if rewrites, options.contains("user=4242") { continue }
      for (family, destination) in [("-4", "203.0.113.9"), ("-6", "2001:db8:9::9")] {
        let words = (rule ?? "").split(separator: " ").map(String.init)
        if rule != nil { try host.b.run(["ip", family, "rule", "add"] + words + ["lookup", "100"]) }
        try host.ipfw("zero")
        try send(from: host.b, to: destination, options)
        // A BSD program is another process, which the sender does not wait for.
        let ways = try awaitingWays(3)
        if rule != nil { try host.b.run(["ip", family, "rule", "del"] + words + ["lookup", "100"]) }
        #expect(
          ways.second == (second ? 3 : 0) && ways.first == (second ? 0 : 3),
          "\(program), \(destination), \(rule ?? "no rule"), \(options): \(ways)")
      }
    }
  }

  private func awaitingWays(_ count: UInt64) throws -> (second: UInt64, first: UInt64) {
    let end = ContinuousClock.now + .seconds(5)
    var ways = try ways()
    while ways.first + ways.second < count, ContinuousClock.now < end { ways = try self.ways() }
    return ways
  }

  @Test func `a passing program changes no packet's way`() throws {
    let program = try host.startTool("pass", "2000")
    try expectWays("divert pass")
    for (destination, family) in [("203.0.113.9", "-4"), ("2001:db8:9::9", "-6")] {
      try host.b.run("ip", family, "rule", "add", "iif", "em0", "lookup", "100")
      try host.ipfw("zero")
      try send(from: host.a, to: destination)
      let ways = try awaitingWays(3)
      #expect(ways.second == 3 && ways.first == 0, "forwarded to \(destination): \(ways)")
      try host.b.run("ip", family, "rule", "del", "iif", "em0", "lookup", "100")
    }
    try host.stop(program)
  }

  /// Python keeps the address's first two parts only.
  @Test func `nor does a program of BSD's in Python`() throws {
    let program = try BSDProgram(["python3", "-c", Self.echo("pass")], in: host)
    try expectWays("python")
    program.kill()
  }

  /// What names no interface in the two parts of the address that Python keeps.
  @Test func `to many, to a link-local address, and from none: by the interface that they were to leave by`()
    throws
  {
    let program = try BSDProgram(["python3", "-c", Self.echo("pass")], in: host)
    let words = try host.c.run("ip", "-6", "-o", "addr", "show", "dev", "vethD", "scope", "link").output
      .split(separator: " ")
    let neighbour = words[try #require(words.firstIndex(of: "inet6")) + 1].split(separator: "/")[0]
    let destinations = ["224.0.0.251", "255.255.255.255", "ff02::fb%em2", "ff05::fb%em2", "\(neighbour)%em2"]
    for hasAddress in [true, false] {
      if !hasAddress { try host.b.run("ip", "-4", "addr", "flush", "dev", "em2") }
      for destination in destinations where hasAddress || !destination.contains(":") {
        try host.ipfw("zero")
        // The kernel cuts nothing that is for all.
        let count: UInt64 = destination == "255.255.255.255" ? 2 : 3
        try send(from: host.b, to: destination, ["device=em2", "count=\(count)"])
        let ways = try awaitingWays(count)
        #expect(ways.second == count && ways.first == 0, "\(destination), \(hasAddress): \(ways)")
      }
    }
    program.kill()
  }

  /// They had 16 bits on the way to divertd, which judges what comes in fragments.
  @Test func `an interface's index above 65535`() throws {
    try host.b.run("ip", "link", "add", "em9", "index", "70001", "type", "veth", "peer", "name", "vethE")
    try host.b.run("ip", "link", "set", "vethE", "netns", host.c.path)
    for (namespace, interface, address) in [
      (host.b, "em9", "198.51.102.1/24"), (host.c, "vethE", "198.51.102.2/24"),
      (host.b, "em9", "2001:db8:5::1/64"), (host.c, "vethE", "2001:db8:5::2/64"),
    ] {
      try namespace.run(
        ["ip", "addr", "add", address, "dev", interface] + (address.contains(":") ? ["nodad"] : []))
      try namespace.run("ip", "link", "set", interface, "up")
    }
    try host.ipfw("add 50 deny udp from any to any 4000 out xmit em9")
    // By this one fragments wait for each other, and divertd judges the whole.
    try host.ipfw("add 60 divert 2000 udp from any to any out")
    let program = try host.startTool("pass", "2000")
    for (number, destination) in ["198.51.102.2", "2001:db8:5::2"].enumerated() {
      try send(from: host.a, to: destination)
      let wanted = UInt64(3 * (number + 1))
      let end = ContinuousClock.now + .seconds(5)
      while try host.packets(countedBy: 50) < wanted, ContinuousClock.now < end {}
      #expect(try host.packets(countedBy: 50) == wanted, "\(destination)")
    }
    try host.stop(program)
  }

  /// All but the user, who no route look-up by programs takes.
  @Test func `what a program changes is routed anew, with all that routes look at`() throws {
    let change = """
      packet = bytearray(packet)
          packet[19 if packet[0] >> 4 == 4 else 39] ^= 3
      """
    let program = try BSDProgram(["python3", "-c", Self.echo(change)], in: host)
    try expectWays("python, changing", rewrites: true)
    program.kill()
  }

  private static func echo(_ change: String) -> String {
    """
    import socket
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 254)
    s.bind(("0.0.0.0", 2000))
    print("ready", flush=True)
    while True:
        packet, address = s.recvfrom(65535)
        \(change)
        s.sendto(packet, address)
    """
  }

  @Test func `each flow keeps its turn among several next hops`() throws {
    for (family, first, second) in [
      ("-4", "198.51.100.2", "198.51.101.2"), ("-6", "2001:db8:2::2", "2001:db8:3::2"),
    ] {
      try host.b.run("ip", family, "route", "del", "default", "metric", family == "-4" ? "0" : "1024")
      try host.b.run(
        "ip", family, "route", "add", "default", "nexthop", "via", first, "nexthop", "via", second)
    }
    try host.b.run("sysctl", "-q", "-w", "net.ipv4.fib_multipath_hash_policy=1")
    let ports = (0..<4).map { ["port=\(6000 + $0)"] }
    for destination in ["203.0.113.9", "2001:db8:9::9"] {
      func waysOfAll() throws -> [UInt64] {
        try ports.map { options in
          try host.ipfw("zero")
          try send(from: host.b, to: destination, options)
          return try awaitingWays(3).second
        }
      }
      try host.ipfw("delete 100")
      let without = try waysOfAll()
      try host.ipfw("add 100 divert 2000 udp from any to any 4000 out")
      let program = try host.startTool("pass", "2000")
      #expect(try waysOfAll() == without, "\(destination)")
      try host.stop(program)
    }
  }

  @Test func `an address that a route makes local is local`() throws {
    try host.b.run("ip", "route", "add", "local", "203.0.114.0/24", "dev", "lo")
    try host.b.run("ip", "-6", "route", "add", "local", "2001:db8:77::/64", "dev", "lo")
    try host.ipfw("add 50 divert 2000 ip from any to any")
    let program = try host.startTool("pass", "2000")
    for address in ["203.0.114.5", "2001:db8:77::5"] {
      let output = try host.b.run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "2", address).output
      #expect(output.contains(" 2 received"), "\(output)")
      #expect(try host.ping(address, count: 2) == 2)
    }
    try host.stop(program)
    try host.b.entered {
      let socket = try host.open(port: 2001)
      let packets = [
        try Sample.udp("198.51.100.1", 1, "203.0.114.7", 2),
        try Sample.udp("2001:db8:2::1", 1, "2001:db8:77::7", 2),
      ]
      for packet in packets { try socket.writer.reinject(packet, as: .outgoing(tag: 60)) }
      try host.b.run("ip", "route", "del", "default", "metric", "0")
      try host.b.run("ip", "route", "del", "default", "metric", "2000")
      try host.b.run("ip", "route", "del", "local", "203.0.114.0/24", "dev", "lo")
      // divertd follows the kernel's message about it.
      let end = ContinuousClock.now + .seconds(5)
      var code: CInt?
      while code != EHOSTUNREACH, ContinuousClock.now < end {
        do throws(SystemError) { try socket.writer.reinject(packets[0], as: .outgoing(tag: 60)) } catch {
          code = error.code
        }
      }
      #expect(code == EHOSTUNREACH)
      socket.close()
    }
  }

  /// FreeBSD's tests/sys/netinet/divert.sh, ipdivert_ip_input_local_success.
  @Test func `incoming from this host's own address, it is received`() throws {
    try host.ipfw("add 40 count icmp from 198.51.100.1 to 198.51.100.1 in recv em1")
    try host.b.entered {
      let socket = try host.open(port: 2001)
      let packet = try Sample.packet(1, "198.51.100.1", "198.51.100.1", hex("0800 f7ff 0000 0000"))
      let before = try host.echoRequests()
      try socket.writer.reinject(packet, as: .incoming(on: "em1"))
      #expect(try host.echoRequests() == before + 1)
      #expect(try host.packets(countedBy: 40) == 1, "by the rules it came in by em1")
      let elsewhere = try Sample.packet(1, "198.51.100.1", "192.0.2.1", hex("0800 f7ff 0000 0000"))
      let error = #expect(throws: SystemError.self) {
        try socket.writer.reinject(elsewhere, as: .incoming(on: "em1"))
      }
      #expect(error?.code == EHOSTUNREACH)
      socket.close()
    }
  }

  @Test func `frames of packet sockets keep their link-layer addresses, both ways`() throws {
    let program = try host.startTool("pass", "2000")
    try host.ipfw("add 90 divert 2000 udp from any to any 4000 in")
    for (namespace, interface, peer, other) in [
      (host.b, "em1", host.c, "vethC"), (host.a, "vethA", host.b, "em0"),
    ] {
      let receiver = try peer.start([
        "python3", "-c",
        """
        import socket, sys
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x800))
        s.bind(("\(other)", 0x800)); s.settimeout(10)
        print("ready", flush=True)
        while True:
            frame = s.recv(2000)
            if frame[14 + 9] == 17: break
        print(frame[:12].hex())
        """,
      ])
      #expect(try receiver.line() == "ready")
      // To a destination that nobody has, by the address of one that is there (as DHCP servers answer).
      let sent = try namespace.run(
        "python3", "-c",
        """
        import socket
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.bind(("\(interface)", 0x800))
        to = bytes.fromhex("\(try peer.address(of: other))")
        h = bytes.fromhex("\(try Sample.udp("198.51.100.1", 67, "198.51.100.77", 4000).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined())")
        s.send(to + bytes.fromhex("02aabbccddee") + b"\\x08\\0" + h)
        print((to + bytes.fromhex("02aabbccddee")).hex())
        """
      ).output
      #expect(try receiver.line() + "\n" == sent, "\(interface)")
      receiver.signal(SIGTERM)
    }
    try host.stop(program)
  }
}

extension LinuxScenario {
  fileprivate func echoRequests() throws -> Int {
    let lines = try b.run("nstat", "-asz", "IcmpInEchos").output.split(separator: "\n")
    return lines.last.flatMap { Int($0.split(separator: " ")[1]) } ?? 0
  }
}

extension Namespace {
  /// The link-layer address of an interface, as hexadecimal digits.
  fileprivate func address(of interface: String) throws -> String {
    let words = try run("ip", "-o", "link", "show", interface).output.split(separator: " ")
    let place = try #require(words.firstIndex(of: "link/ether"))
    return String(words[place + 1].filter { $0 != ":" })
  }
}
