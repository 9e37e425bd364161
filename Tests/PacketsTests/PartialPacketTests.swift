import Packets
import TestSupport
import Testing

/// Packets of which a capture has kept the beginning: what is there counts.
struct PartialPacketTests {
  struct Row: CustomTestStringConvertible, Sendable {
    let name: String
    let packet: [UInt8]
    /// With fewer bytes nothing can be read.
    let readable: Int
    /// With fewer bytes there is no transport header.
    let transport: Int

    init(_ name: String, readable: Int, transport: Int, _ packet: () throws -> [UInt8]) {
      do { self.packet = try packet() } catch { fatalError("\(name): \(error)") }
      (self.name, self.readable, self.transport) = (name, readable, transport)
    }

    var testDescription: String { name }
  }

  static let rows = [
    Row("TCP", readable: 20, transport: 34) {
      try Sample.tcp("192.0.2.1", 40_000, "192.0.2.2", 80, .syn, [1, 2, 3])
    },
    Row("UDP", readable: 20, transport: 24) {
      try Sample.udp("192.0.2.1", 40_000, "192.0.2.2", 53, [1, 2, 3])
    },
    Row("ICMP", readable: 20, transport: 22) { try Sample.icmp("192.0.2.1", "192.0.2.2", type: 8) },
    Row("TCP over IPv6", readable: 40, transport: 54) {
      try Sample.tcp("2001:db8::1", 40_000, "2001:db8::2", 80, [.syn, .ack])
    },
    Row("UDP over IPv6", readable: 40, transport: 44) {
      try Sample.udp("2001:db8::1", 40_000, "2001:db8::2", 53, [1])
    },
    Row("ICMPv6 behind an extension header", readable: 40, transport: 50) {
      try Sample.packet(60, "2001:db8::1", "2001:db8::2", hex("3a00 0104 0000 0000  8000 0000 0001 0001"))
    },
  ]

  @Test(arguments: rows) func `every beginning`(_ row: Row) {
    let whole = PacketFields(parsing: row.packet.rawSpan)
    #expect(whole.isReadable && whole.transport != .none)
    for count in 0...row.packet.count {
      let beginning = Array(row.packet[..<count])
      let fields = PacketFields(parsing: beginning.rawSpan, wireLength: row.packet.count)
      #expect(fields.isReadable == (count >= row.readable), "\(count) bytes")
      guard fields.isReadable else { continue }
      #expect(fields.length == whole.length)
      #expect(fields.source4 == whole.source4 && fields.destination6 == whole.destination6)
      #expect((fields.transport == whole.transport) == (count >= row.transport), "\(count) bytes")
      guard fields.transport == whole.transport else { continue }
      #expect(fields.protocolNumber == whole.protocolNumber)
      #expect(fields.sourcePort == whole.sourcePort && fields.destinationPort == whole.destinationPort)
      #expect(fields.tcpFlags == whole.tcpFlags && fields.icmpType == whole.icmpType)
    }
  }

  /// A packet that the wire had cut, not the capture, is none.
  @Test(arguments: rows) func `shorter than it says`(_ row: Row) {
    let cut = Array(row.packet.dropLast())
    #expect(!PacketFields(parsing: cut.rawSpan).isReadable)
  }
}
