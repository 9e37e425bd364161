import Namespaces
import TestSupport
import Testing

/// Frames in forms that IP takes as its own, too: each of their packets is judged, and judged once.
@Suite(.serialized) struct FrameTests {
  /// What stands between addresses and EtherType, and whether the packet reaches IP.
  static let tags: [(tag: String, arrives: Bool)] = [
    ("", true), ("81000000", true), ("8100e000", true), ("88a80000", true), ("88a8000081000000", true),
    ("8100000081000000", true), ("8100000081000000810000008100e000", true),
    // A VLAN that no device has; and more tags than any sender has a reason for.
    ("81000005", false), ("8100000081000005", false), ("81000000810000008100000081000000810000008100", false),
  ]

  @Test func `tags that are only a priority hide no packet from the rules`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 count udp from any to any 7777 in")
    try host.ipfw("add 300 deny udp from any to any 7777 in")
    let arriving = Self.tags.filter(\.arrives).count * 2
    let all = Self.tags.map(\.tag)
    try host.send(all, from: host.a, "vethA", to: host.linkAddress(of: "em0"), port: 7777)
    #expect(try host.packets(countedBy: 300) == UInt64(arriving))
    #expect(try host.unclaimedDatagrams(host.b) == 0)

    // A program gets them as they are without, and so they go on.
    try host.ipfw("delete 300")
    try host.ipfw("add 200 divert 2000 udp from any to any 7777")
    try host.ipfw("add 300 count udp from any to any 7777 in")
    let tool = try host.startTool("pass", "2000")
    try host.send(all, from: host.a, "vethA", to: host.linkAddress(of: "em0"), port: 7777)
    try host.stop(tool)
    #expect(try host.packets(countedBy: 100) == UInt64(arriving * 2))
    #expect(try host.packets(countedBy: 200) == UInt64(arriving))
    #expect(try host.packets(countedBy: 300) == UInt64(arriving))
    #expect(try host.unclaimedDatagrams(host.b) == arriving)
  }

  @Test func `what a packet socket sends with a priority is judged, and keeps it`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 count udp from any to any 7777 out")
    let watch = try host.a.start([
      "python3", "-c",
      """
      import socket
      s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
      s.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
      s.bind(("vethA", 3))
      print("ready", flush=True)
      seen = 0
      while seen < 4:
        frame, notes, _, sender = s.recvmsg(2000, 100)
        # The answers quote it, and leave by here (PACKET_OUTGOING).
        if b"to 7777" not in frame or sender[2] == 4: continue
        note = notes[0][2]
        tag = note[16:18][::-1].hex() if note[0] & 16 else "none"
        print(tag, flush=True)
        seen += 1
      """,
    ])
    #expect(try watch.line() == "ready")
    try host.send(
      ["8100e000", ""], from: host.b, "em0", to: host.linkAddress(of: "vethA", in: host.a), port: 7777)
    for expected in ["e000", "e000", "none", "none"] { #expect(try watch.line() == expected) }
    #expect(try host.packets(countedBy: 100) == 4)
    try host.ipfw("add 200 deny udp from any to any 7777 out")
    let before = try host.unclaimedDatagrams(host.a)
    try host.send(
      ["81000000"], from: host.b, "em0", to: host.linkAddress(of: "vethA", in: host.a), port: 7777)
    #expect(try host.packets(countedBy: 200) == 2)
    #expect(try host.unclaimedDatagrams(host.a) == before)
  }

  @Test func `link-local groups on a bridge's member are judged where IP gets them`() throws {
    let host = try LinuxScenario()
    try Namespace.connect(host.a, "vethM", "203.0.113.1/24", host.b, "mem0", "203.0.113.3/24")
    try host.b.run("ip", "link", "add", "br9", "type", "bridge", "mcast_snooping", "0")
    try host.b.run("ip", "link", "set", "mem0", "master", "br9")
    try host.b.run("ip", "link", "set", "br9", "up")
    try host.ipfw("add 100 count udp from any to any 7777 in")
    let addresses = try [host.linkAddress(of: "br9")] + (0..<16).map { String(group: $0) }
    for setting in [[], ["group_fwd_mask", "0x4000"], ["stp_state", "1", "forward_delay", "0"]] {
      if !setting.isEmpty {
        try host.b.run(["ip", "link", "set", "br9", "type", "bridge"] + setting)
        try host.ipfw("list 100")
      }
      try host.ipfw("zero 100")
      let before = try host.unclaimedDatagrams(host.b)
      for address in addresses { try host.send([""], from: host.a, "vethM", to: address, port: 7777) }
      let arrived = try host.unclaimedDatagrams(host.b) - before
      #expect(arrived >= 30, "\(setting)")
      #expect(try host.packets(countedBy: 100) == UInt64(arrived), "\(setting)")
    }
    try host.ipfw("add 200 deny udp from any to any 7777 in")
    let before = try host.unclaimedDatagrams(host.b)
    try host.send(["", "81000000"], from: host.a, "vethM", to: String(group: 14), port: 7777)
    #expect(try host.packets(countedBy: 200) == 4)
    #expect(try host.unclaimedDatagrams(host.b) == before)
  }
}

extension String {
  /// 01:80:c2:00:00:0x, without colons.
  fileprivate init(group last: Int) { self = "0180c200000" + String(last, radix: 16) }
}

extension LinuxScenario {
  /// Without colons.
  fileprivate func linkAddress(of interface: String, in namespace: Namespace? = nil) throws -> String {
    let words = try (namespace ?? b).run("ip", "-o", "link", "show", interface).output.split(separator: " ")
    let place = try #require(words.firstIndex(of: "link/ether"))
    return String(words[place + 1].filter { $0 != ":" })
  }

  /// Datagrams to a port where no socket is, of IPv4 and IPv6.
  fileprivate func unclaimedDatagrams(_ namespace: Namespace) throws -> Int {
    try namespace.run("nstat", "-asz", "UdpNoPorts", "Udp6NoPorts").output.split(separator: "\n")
      .filter { $0.hasPrefix("Udp") }.reduce(0) { $0 + (Int($1.split(separator: " ")[1]) ?? 0) }
  }

  /// Sends a UDP datagram of IPv4 and one of IPv6 for each row of tags, from a packet socket.
  fileprivate func send(
    _ tags: [String], from namespace: Namespace, _ interface: String, to address: String, port: Int
  ) throws {
    let isOutside = namespace === a
    let ends = isOutside ? ["192.0.2.1", "192.0.2.2"] : ["192.0.2.2", "192.0.2.1"]
    let ends6 = isOutside ? ["2001:db8:1::1", "2001:db8:1::2"] : ["2001:db8:1::2", "2001:db8:1::1"]
    let program = """
      import socket, struct, sys
      device, to, port, source, destination, source6, destination6 = sys.argv[1:8]
      def sum16(data):
        data += b"\\0" * (len(data) % 2)
        total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
        while total >> 16: total = (total & 0xffff) + (total >> 16)
        return ~total & 0xffff
      s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
      s.bind((device, 0))
      own = s.getsockname()[4]
      text = b"to " + port.encode()
      udp = struct.pack("!HHHH", 1000, int(port), 8 + len(text), 0) + text
      head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
      ends = socket.inet_aton(source) + socket.inet_aton(destination)
      four = head[:10] + struct.pack("!H", sum16(head + ends)) + ends + udp
      ends = socket.inet_pton(socket.AF_INET6, source6) + socket.inet_pton(socket.AF_INET6, destination6)
      total = sum16(ends + struct.pack("!II", len(udp), 17) + udp)
      six = struct.pack("!IHBB", 0x60000000, len(udp), 17, 64) + ends + udp[:6] + struct.pack("!H", total) + text
      for tag in sys.argv[8:]:
        tag = bytes.fromhex(tag.strip())
        for kind, packet in (b"\\x08\\x00", four), (b"\\x86\\xdd", six):
          s.send(bytes.fromhex(to) + own + tag + kind + packet)
      """
    // An empty word would be lost on the way through the shell that holds the process.
    try namespace.run(
      ["python3", "-c", program, interface, address, String(port)] + ends + ends6
        + tags.map { $0.isEmpty ? " " : $0 })
  }
}
