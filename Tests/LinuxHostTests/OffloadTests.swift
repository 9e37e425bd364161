import Divert
import DivertWire
import Namespaces
import Packets
import Synchronization
import TestSupport
import Testing

/// Inside the kernel packets are larger than on any wire, and their checksums half done (segmentation and checksum
/// offload). A program reads none of these.
@Suite(.serialized) struct OffloadTests {
  /// What a program has read, and what was wrong with it.
  private final class Record: Sendable {
    let packets = Atomic(0)
    let bytes = Atomic(0)
    let longest = Atomic(0)
    let badChecksums = Atomic(0)

    func take(_ packet: RawSpan) {
      packets.wrappingAdd(1, ordering: .relaxed)
      bytes.wrappingAdd(packet.byteCount, ordering: .relaxed)
      _ = longest.max(packet.byteCount, ordering: .relaxed)
      let isVersion4 = packet.integer(at: 0, as: UInt8.self) >> 4 == 4
      let headerIsFine = !isVersion4 || Checksum.of(packet.extracting(first: 20)) == 0
      if !headerIsFine || Checksum.isTransportValid(in: packet) != true {
        badChecksums.wrappingAdd(1, ordering: .relaxed)
      }
    }
  }

  static let ways: [(rule: String, fromA: Bool, address: String)] = [
    ("in", true, "192.0.2.2"), ("out", false, "192.0.2.1"),
    ("in", true, "2001:db8:1::2"), ("out", false, "2001:db8:1::1"),
  ]

  @Test(arguments: ways)
  func `a TCP stream is read in packets of wire size, and counted so`(
    _ way: (rule: String, fromA: Bool, address: String)
  ) throws {
    let host = try LinuxScenario()
    // From and to this network alone, no neighbour discovery: all that is counted is TCP.
    try host.ipfw("add 100 divert 2000 tcp from any to any \(way.rule)")
    let record = Record()
    let program = InPlaceProgram(try host.b.entered { try host.open(port: 2000) }) { record.take($0.bytes) }
    program.start()
    let (source, sink) = way.fromA ? (host.a, host.b) : (host.b, host.a)
    try TransferTests.transfer(from: source, to: sink, address: way.address, bytes: 20_000_000)
    let (packets, bytes) = try host.settledCounter(ofRule: 100)
    let counts = try host.statistics()
    let statistics = program.stop()
    #expect(statistics.droppedFull == 0 && statistics.refused == 0)
    #expect(record.longest.load(ordering: .relaxed) <= 1500)
    #expect(record.badChecksums.load(ordering: .relaxed) == 0)
    #expect(record.packets.load(ordering: .relaxed) == packets)
    #expect(record.bytes.load(ordering: .relaxed) == bytes)
    #expect(bytes > 20_000_000 && packets > 20_000_000 / 1500)
    // What divertd tells of the port is counted as the rule counts it.
    let written = way.rule == "in" ? SocketCount.reinjectedIncoming : .reinjectedOutgoing
    #expect(counts.totals[.diverted] == packets && counts.bound.first?.diverted == UInt64(packets))
    #expect(counts.written[written] == packets)
  }

  @Test(arguments: ["192.0.2.1", "2001:db8:1::1", "127.0.0.1"])
  func `datagrams that were sent as one super-packet are read one by one`(_ address: String) throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 udp from any to any 7002 out")
    let record = Record()
    let program = InPlaceProgram(try host.b.entered { try host.open(port: 2000) }) { record.take($0.bytes) }
    program.start()
    // UDP_SEGMENT (udp(7)): ten of 1000 bytes and one of 500.
    try host.b.run(
      "python3", "-c",
      """
      import socket, sys
      s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
      s.setsockopt(socket.IPPROTO_UDP, 103, 1000)
      s.sendto(bytes(10_500), (sys.argv[1], 7002))
      """, address)
    let (packets, bytes) = try host.settledCounter(ofRule: 100)
    _ = program.stop()
    let headers = address.contains(":") ? 48 : 28
    #expect(packets == 11 && bytes == 10_500 + 11 * headers)
    #expect(record.packets.load(ordering: .relaxed) == 11)
    #expect(record.bytes.load(ordering: .relaxed) == bytes)
    #expect(record.longest.load(ordering: .relaxed) == 1000 + headers)
    #expect(record.badChecksums.load(ordering: .relaxed) == 0)
  }

  @Test func `what a super-packet counts where nobody gets it, and as copies`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 tee 2000 tcp from any to any in")
    try host.ipfw("add 200 tee 2001 tcp from any to any in")
    let record = Record()
    let program = InPlaceProgram(try host.b.entered { try host.open(port: 2001) }) { record.take($0.bytes) }
    program.start()
    try TransferTests.transfer(from: host.a, to: host.b, address: "192.0.2.2", bytes: 2_000_000)
    let (packets, _) = try host.settledCounter(ofRule: 100)
    let counts = try host.statistics()
    _ = program.stop()
    #expect(packets > 2_000_000 / 1500)
    #expect(counts.totals[.noPort] == packets && counts.totals[.teed] == packets)
    #expect(record.packets.load(ordering: .relaxed) == packets)
  }

  @Test func `datagrams are read with complete checksums`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 udp from any to any 7002 out")
    let record = Record()
    let program = InPlaceProgram(try host.b.entered { try host.open(port: 2000) }) { record.take($0.bytes) }
    program.start()
    for (address, size) in [("192.0.2.1", "1400"), ("2001:db8:1::1", "100")] {
      // Nobody answers: ten go out, then the tool gives up waiting.
      try host.b.run(
        [Programs.path("Traffic"), "udp-window", address, "7002", "10", size, "10"], expecting: nil)
    }
    let (packets, bytes) = try host.settledCounter(ofRule: 100)
    _ = program.stop()
    #expect(packets > 0 && record.packets.load(ordering: .relaxed) == packets)
    #expect(record.bytes.load(ordering: .relaxed) == bytes)
    #expect(record.badChecksums.load(ordering: .relaxed) == 0)
  }
}

extension LinuxScenario {
  /// What a rule has counted, when it has stopped counting.
  fileprivate func settledCounter(ofRule rule: UInt16) throws -> (packets: Int, bytes: Int) {
    var last = (-1, -1)
    while true {
      let words = try ipfw("show \(rule)").split(separator: " ")
      let counter = (Int(words[1]) ?? 0, Int(words[2]) ?? 0)
      if counter == last { return counter }
      last = counter
    }
  }
}
