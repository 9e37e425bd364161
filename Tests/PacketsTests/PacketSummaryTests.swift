import Packets
import TestSupport
import Testing

struct PacketSummaryTests {
  static let v4 = "c0 00 02 01 c0 00 02 02 "  // 192.0.2.1 to 192.0.2.2
  static let v6 =
    "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02 "
  static let rows: [Row] = [
    Row(
      "45 00 00 20 00 00 00 00 40 01 00 00 \(v4) 08 00 00 00 00 07 00 01 00 00 00 00",
      "192.0.2.1 > 192.0.2.2: ICMP echo request, id 7, seq 1, length 12"),
    Row(
      "45 00 00 1c 00 00 00 00 40 01 00 00 \(v4) 00 00 00 00 00 07 00 02",
      "192.0.2.1 > 192.0.2.2: ICMP echo reply, id 7, seq 2, length 8"),
    Row(
      "45 00 00 1c 00 00 00 00 40 01 00 00 \(v4) 03 01 00 00 00 00 00 00",
      "192.0.2.1 > 192.0.2.2: ICMP destination unreachable, code 1, length 8"),
    Row(
      "45 00 00 1c 00 00 00 00 40 01 00 00 \(v4) 2a 01 00 00 00 00 00 00",
      "192.0.2.1 > 192.0.2.2: ICMP type 42, code 1, length 8"),
    Row(
      "45 00 00 28 00 00 00 00 40 06 00 00 \(v4) 04 d2 00 50 00 00 00 01 00 00 00 02 50 12 ff ff 00 00 00 00",
      "192.0.2.1.1234 > 192.0.2.2.80: tcp SYN, ACK, seq 1, ack 2, win 65535, length 0"),
    Row(
      "45 00 00 29 00 00 00 00 40 06 00 00 \(v4) 04 d2 00 50 00 00 00 01 00 00 00 02 50 00 00 09 00 00 00 00 ff",
      "192.0.2.1.1234 > 192.0.2.2.80: tcp no flags, seq 1, win 9, length 1"),
    Row(
      "45 00 00 28 00 00 00 00 40 06 00 00 \(v4) 04 d2 00 50 00 00 00 01 00 00 00 02 40 12 ff ff 00 00 00 00",
      "192.0.2.1 > 192.0.2.2: TCP header with a bad length: 16"),
    Row(
      "45 00 00 20 00 00 00 00 40 11 00 00 \(v4) 04 d2 00 35 00 0c 00 00 01 02 03 04",
      "192.0.2.1.1234 > 192.0.2.2.53: udp, length 4"),
    Row(
      "45 00 00 1c 00 00 00 00 40 11 00 00 \(v4) 04 d2 00 35 00 0c 00 00",
      "192.0.2.1 > 192.0.2.2: UDP with a bad length: 12"),
    Row(
      "45 00 00 18 00 00 00 00 40 11 00 00 \(v4) 04 d2 00 35",
      "192.0.2.1 > 192.0.2.2: UDP cut short: 4 of 8 bytes"),
    Row(
      "45 00 00 1c 00 07 20 00 40 11 00 00 \(v4) 04 d2 00 35 10 00 00 00",
      "192.0.2.1.1234 > 192.0.2.2.53: udp, length 4088 (frag 7:8@0+)"),
    Row(
      "45 00 00 1c 00 07 20 02 40 11 00 00 \(v4) 04 d2 00 35 10 00 00 00",
      "192.0.2.1 > 192.0.2.2: udp (frag 7:8@16+)"),
    Row(
      "45 00 00 1c 00 07 00 02 40 01 00 00 \(v4) 04 d2 00 35 10 00 00 00",
      "192.0.2.1 > 192.0.2.2: icmp (frag 7:8@16)"),
    Row("45 00 00 16 00 00 00 00 40 2f 00 00 \(v4) 00 00", "192.0.2.1 > 192.0.2.2: gre, length 2"),
    Row("45 00 00 14 00 00 00 00 40 c8 00 00 \(v4)", "192.0.2.1 > 192.0.2.2: protocol 200, length 0"),
    Row(
      "60 00 00 00 00 08 3a 40 \(v6) 80 00 00 00 00 07 00 01",
      "2001:db8::1 > 2001:db8::2: ICMP6 echo request, id 7, seq 1, length 8"),
    Row(
      "60 00 00 00 00 08 3a 40 \(v6) 87 00 00 00 00 00 00 00",
      "2001:db8::1 > 2001:db8::2: ICMP6 neighbor solicitation, length 8"),
    Row(
      "60 00 00 00 00 10 00 40 \(v6) 11 00 01 04 00 00 00 00 04 d2 00 35 00 08 00 00",
      "2001:db8::1.1234 > 2001:db8::2.53: udp, length 0"),
    Row(
      "60 00 00 00 00 10 2c 40 \(v6) 11 00 05 a9 00 00 00 2a 04 d2 00 35 00 08 00 00",
      "2001:db8::1 > 2001:db8::2: udp (frag 42:8@1448+)"),
    Row(
      "60 00 00 00 00 10 2c 40 \(v6) 11 00 00 01 00 00 00 2a 04 d2 00 35 05 dc 00 00",
      "2001:db8::1.1234 > 2001:db8::2.53: udp, length 1492 (frag 42:8@0+)"),
    Row(
      "60 00 00 00 00 04 00 40 \(v6) 11 00 00 00",
      "2001:db8::1 > 2001:db8::2: extension header cut short, length 4"),
    Row("", "no packet (IPv4 cut short: 0 of 20 bytes), 0 bytes: "),
    Row("45 00 0f", "no packet (IPv4 cut short: 3 of 20 bytes), 3 bytes: 45 00 0f"),
    Row("60 00", "no packet (IPv6 cut short: 2 of 40 bytes), 2 bytes: 60 00"),
    Row(
      "15 00 00 1c 00 00 00 00 40 01 00 00 \(v4)",
      "no packet (IPv4 with version 1), 20 bytes: 15 00 00 1c 00 00 00 00 40 01 00 00 c0 00 02 01 …"),
  ]

  @Test(arguments: rows) func `a packet is told in a line`(_ row: Row) {
    #expect(PacketSummary.summary(of: row.packet.rawSpan) == row.text, sourceLocation: row.line)
  }

  /// Random bytes, and good packets with a few random bytes: nothing may trap. The checks hold for all.
  @Test func `no bytes are too strange`() {
    for round in 0..<20_000 {
      var random = SeededGenerator(stream: UInt64(round))
      var packet = Self.rows[Int.random(in: 0..<Self.rows.count, using: &random)].packet
      if round % 4 == 0 { packet = random.bytes(Int.random(in: 0...80, using: &random)) }
      for _ in 0..<Int.random(in: 0...4, using: &random) where !packet.isEmpty {
        let index = Int.random(in: 0..<packet.count, using: &random)
        packet[index] = UInt8.random(in: 0...255, using: &random)
      }
      packet = Array(packet.prefix(Int.random(in: 0...(packet.count + 40), using: &random)))
      Self.check(packet, "seed \(testSeed), round \(round): \(packet)")
    }
  }

  private static func check(_ packet: [UInt8], _ note: String) {
    let fields = PacketFields(parsing: packet.rawSpan)
    let summary = PacketSummary.summary(of: packet.rawSpan)
    let isPacket = (try? IPv4(packet.rawSpan)) != nil || (try? IPv6(packet.rawSpan)) != nil
    #expect(summary.hasPrefix("no packet") != isPacket, "\(note)")
    // tiny TCP fragments are a packet, but not one to be read
    #expect(!fields.isReadable || isPacket, "\(note)")
    var changed = packet
    var span = changed.mutableRawSpan
    let isUpdated = Checksum.updateTransport(of: &span)
    #expect(isUpdated == (Checksum.isTransportValid(in: packet.rawSpan) != nil), "\(note)")
    if isUpdated { #expect(Checksum.isTransportValid(in: changed.rawSpan) == true, "\(note)") }
    _ = try? UDP(packet.rawSpan).payload.byteCount
    _ = try? TCP(packet.rawSpan).payload.byteCount
    _ = try? ICMP(packet.rawSpan).payload.byteCount
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let packet: [UInt8], text: String, line: SourceLocation
    init(_ packet: String, _ text: String, line: SourceLocation = #_sourceLocation) {
      (self.packet, self.text, self.line) = (hex(packet), text, line)
    }
    var testDescription: String { text }
  }
}
