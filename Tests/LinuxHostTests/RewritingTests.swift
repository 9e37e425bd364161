import Divert
import Namespaces
import Packets
import TestSupport
import Testing

/// A small NAT, over devices with all their offloads on.
@Suite(.serialized) struct RewritingTests {
  private static let a: UInt32 = 0xc000_0201, b: UInt32 = 0xc000_0202, c: UInt32 = 0xc633_6402
  private static let nobody: UInt32 = 0xcb00_7107  // 203.0.113.7
  private static let behindC: UInt32 = 0xc612_0001  // 198.18.0.1

  @Test func `to a third host instead of this one`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 tcp from any to 192.0.2.2 7001 in")
    // On the way out: what comes in from this host's own address Linux takes for forged (RFC 1812 §5.3.7).
    try host.ipfw("add 200 divert 2000 tcp from 198.51.100.2 7001 to any out")
    try carry(from: host.a, "192.0.2.2", to: host.c, in: host) { packet in
      if packet.tag == 100 {
        packet.replaceAddress(at: 16, with: Self.c)
      } else {
        packet.replaceAddress(at: 12, with: Self.b)
      }
    }
  }

  @Test func `to this host instead of another`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 tcp from any to 203.0.113.7 7001 in")
    try host.ipfw("add 200 divert 2000 tcp from 192.0.2.2 7001 to any out")
    try carry(from: host.a, "203.0.113.7", to: host.b, in: host) { packet in
      if packet.tag == 100 {
        packet.replaceAddress(at: 16, with: Self.b)
      } else {
        packet.replaceAddress(at: 12, with: Self.nobody)
      }
    }
  }

  @Test func `what this host sends leaves by another interface, to another gateway`() throws {
    let host = try LinuxScenario()
    try host.b.run("ip", "route", "add", "203.0.113.0/24", "via", "192.0.2.1")
    try host.b.run("ip", "route", "add", "198.18.0.0/24", "via", "198.51.100.2")
    try host.c.run("ip", "addr", "add", "198.18.0.1/32", "dev", "lo")
    // Answers come in where the route to their source does not lead (RFC 3704).
    try host.b.run("sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.em1.rp_filter=0")
    try host.ipfw("add 100 divert 2000 tcp from any to 203.0.113.7 7001 out")
    try host.ipfw("add 200 divert 2000 tcp from 198.18.0.1 7001 to any in")
    try carry(from: host.b, "203.0.113.7", to: host.c, in: host) { packet in
      if packet.tag == 100 {
        packet.replaceAddress(at: 16, with: Self.behindC)
      } else {
        packet.replaceAddress(at: 12, with: Self.nobody)
      }
    }
  }

  private func carry(
    from source: Namespace, _ address: String, to sink: Namespace, in host: LinuxScenario,
    _ change: @escaping InPlaceProgram.Change
  ) throws {
    let program = InPlaceProgram(try host.b.entered { try host.open(port: 2000) }, change)
    program.start()
    try TransferTests.transfer(from: source, to: sink, address: address)
    let statistics = program.stop()
    #expect(statistics.received > 10_000 && statistics.refused == 0, "\(statistics)")
  }
}

extension DivertedPacket {
  /// Changes an address of an IPv4 packet that carries TCP without IP options, and the checksums that cover it.
  fileprivate mutating func replaceAddress(at offset: Int, with address: UInt32) {
    var bytes = mutableBytes
    let old: UInt32 = bytes.bytes.integer(at: offset)
    for checksum in [10, 20 + 16] {
      bytes.store(Checksum.updated(bytes.bytes.integer(at: checksum), from: old, to: address), at: checksum)
    }
    bytes.store(address, at: offset)
  }
}
