import Packets
import TestSupport
import Testing

struct PacketFieldsTests {
  static let tcp4 = hex(
    """
    45 00 00 2a 00 01 00 00 40 06 00 00 c0 00 02 01 c6 33 64 07  // 192.0.2.1 to 198.51.100.7, 42 bytes
    c0 00 00 50 00 00 00 01 00 00 00 02 50 12 ff ff 00 00 00 00  // 49152 to 80, SYN ACK
    68 69
    """)
  static let echo6 = hex(
    """
    60 00 00 00 00 10 00 40                          // 16 bytes, Hop-by-Hop first
    20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01  // 2001:db8::1
    fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02  // fe80::2
    3a 00 05 02 00 00 01 00                          // Hop-by-Hop: next ICMPv6
    80 01 00 00 00 07 00 01                          // echo request, code 1
    """)

  @Test func `TCP over IPv4`() {
    let fields = PacketFields(parsing: (Self.tcp4 + [0xff]).rawSpan)
    #expect(fields.isReadable && fields.version == 4)
    #expect(fields.protocolNumber == 6 && fields.transport == .ports)
    #expect(fields.sourcePort == 49152 && fields.destinationPort == 80)
    #expect(fields.tcpFlags == 0x12)
    #expect(fields.length == 42)
    #expect(fields.fragmentOffset == 0 && !fields.moreFragments)
    #expect(fields.source4.description == "192.0.2.1" && fields.destination4.description == "198.51.100.7")
  }

  @Test func `ICMPv6 behind an extension header`() {
    let fields = PacketFields(parsing: Self.echo6.rawSpan)
    #expect(fields.isReadable && fields.version == 6)
    #expect(fields.protocolNumber == 58 && fields.transport == .icmp)
    #expect(fields.icmpType == 128 && fields.icmpCode == 1)
    #expect(fields.length == 56)
    #expect(fields.source6.description == "2001:db8::1" && fields.destination6.description == "fe80::2")
  }

  @Test func `cut anywhere, a packet is unreadable`() {
    for packet in [Self.tcp4, Self.echo6] {
      for count in 0..<packet.count {
        let fields = PacketFields(parsing: Array(packet[..<count]).rawSpan)
        #expect(!fields.isReadable && fields.transport == .none, "\(count) bytes of \(packet)")
      }
    }
  }

  static let transports: [Row] = [
    Row(4, 6, 20, .ports), Row(short: 4, 6, 19), Row(6, 6, 20, .ports), Row(short: 6, 6, 19),
    Row(4, 17, 8, .ports), Row(short: 4, 17, 7), Row(6, 17, 8, .ports), Row(short: 6, 17, 0),
    Row(4, 136, 8, .ports), Row(short: 6, 136, 7), Row(4, 132, 12, .ports), Row(short: 6, 132, 11),
    Row(4, 1, 4, .icmp), Row(short: 4, 1, 3), Row(6, 58, 4, .icmp), Row(short: 6, 58, 3),
    Row(4, 58, 40, .none), Row(6, 1, 40, .none), Row(4, 47, 40, .none), Row(6, 50, 40, .none),
    Row(6, 59, 40, .none), Row(4, 0, 40, .none), Row(4, 44, 40, .none), Row(4, 51, 40, .none),
  ]

  /// ipfw(8), FINE POINTS: what does not contain its transport header is dropped.
  @Test(arguments: transports) func `a transport header is there, or there is none, or too little of it`(
    _ row: Row
  ) {
    let fields = PacketFields(parsing: Self.packet(row.version, row.kind, row.count).rawSpan)
    guard let transport = row.transport else {
      #expect(!fields.isReadable, sourceLocation: row.line)
      return
    }
    #expect(fields.version == row.version, sourceLocation: row.line)
    #expect(fields.protocolNumber == row.kind, sourceLocation: row.line)
    #expect(fields.transport == transport, sourceLocation: row.line)
  }

  /// (offset in the packet, value) make a good TCP packet of 42 bytes unreadable, or not.
  @Test(
    arguments: [
      (0, 0x44, false), (0, 0x40, false), (0, 0x55, false), (0, 0x05, false), (0, 0x4a, false),
      (0, 0x4b, false),
      (3, 19, false), (3, 20, false), (3, 39, false), (3, 43, false), (2, 1, false), (7, 1, false),
      (7, 2, true),
    ] as [(Int, UInt8, Bool)])
  func `nonsense in an IPv4 header`(offset: Int, value: UInt8, readable: Bool) {
    var packet = Self.tcp4
    packet[offset] = value
    let fields = PacketFields(parsing: packet.rawSpan)
    #expect(fields.isReadable == readable)
    // a later fragment has no header
    #expect(fields.transport == .none)
  }

  @Test func `IPv4 fragments`() {
    var packet = Self.tcp4
    packet.replaceSubrange(6..<8, with: [0x20, 0])
    var fields = PacketFields(parsing: packet.rawSpan)
    #expect(fields.moreFragments && fields.fragmentOffset == 0 && fields.transport == .ports)
    packet.replaceSubrange(6..<8, with: [0x3f, 0xff])
    fields = PacketFields(parsing: packet.rawSpan)
    #expect(fields.moreFragments && fields.fragmentOffset == 65528 && fields.transport == .none)
    #expect(fields.sourcePort == 0 && fields.protocolNumber == 6 && fields.isReadable)
    // RFC 3128: it would overwrite the flags; other protocols have nothing there to protect
    packet.replaceSubrange(6..<8, with: [0, 1])
    #expect(!PacketFields(parsing: packet.rawSpan).isReadable)
    packet[9] = 17
    #expect(PacketFields(parsing: packet.rawSpan).isReadable)
  }

  @Test func `extension headers, one by one and in a row`() {
    // (number, its bytes with the next header left 0): RFC 8200, 4302, 6275, 7401, 5533
    let headers: [(UInt8, [UInt8])] = [
      (0, [0, 0, 1, 4, 0, 0, 0, 0]), (43, [0, 2] + [UInt8](repeating: 0, count: 22)),
      (60, [0, 1] + [UInt8](repeating: 0, count: 14)), (44, [0, 0, 0, 0, 0, 0, 0, 9]),
      (51, [0, 4] + [UInt8](repeating: 0, count: 22)), (135, [0, 0, 0, 0, 0, 0, 0, 0]),
      (139, [0, 0, 0, 0, 0, 0, 0, 0]), (140, [0, 0, 0, 0, 0, 0, 0, 0]),
    ]
    let udp: [UInt8] = [0, 1, 0, 2, 0, 8, 0, 0]
    for chain in headers.map({ [$0] }) + [headers] {
      var bytes = Self.packet(6, chain[0].0, 0)
      for (index, (_, header)) in chain.enumerated() {
        bytes += [index + 1 < chain.count ? chain[index + 1].0 : 17] + header.dropFirst()
      }
      let start = bytes.count
      bytes += udp
      bytes[5] = UInt8(bytes.count - 40)
      let fields = PacketFields(parsing: bytes.rawSpan)
      #expect(fields.protocolNumber == 17 && fields.transport == .ports, "\(chain.map(\.0))")
      #expect(fields.sourcePort == 1 && fields.destinationPort == 2, "\(chain.map(\.0))")
      // cut within the chain, honestly; with nothing at all behind a header, it is UDP's that is missing
      for end in 40..<start {
        var cut = Array(bytes[..<end])
        cut[5] = UInt8(end - 40)
        let fields = PacketFields(parsing: cut.rawSpan)
        #expect(!fields.isReadable, "\(chain.map(\.0)), \(end)")
      }
    }
  }

  @Test func `IPv6 fragments`() {
    // Fragment header: next UDP (TCP in the end), offset and M, identification
    let first = Self.packet(6, 44, 0, [17, 0, 0, 1, 0, 0, 0, 9] + [0, 1, 0, 2, 0, 80, 0, 0])
    var fields = PacketFields(parsing: first.rawSpan)
    #expect(fields.moreFragments && fields.fragmentOffset == 0 && fields.transport == .ports)
    let later = Self.packet(6, 44, 0, [17, 0, 0x05, 0xa8, 0, 0, 0, 9] + [0, 1, 0, 2, 0, 80, 0, 0])
    fields = PacketFields(parsing: later.rawSpan)
    #expect(!fields.moreFragments && fields.fragmentOffset == 1448 && fields.transport == .none)
    #expect(fields.protocolNumber == 17 && fields.sourcePort == 0)
    let tiny = Self.packet(6, 44, 0, [6, 0, 0, 8, 0, 0, 0, 9] + [0, 1, 0, 2, 0, 80, 0, 0])
    #expect(!PacketFields(parsing: tiny.rawSpan).isReadable)
  }

  /// A packet whose payload is zeros, or what is given.
  static func packet(_ version: UInt8, _ kind: UInt8, _ count: Int, _ payload: [UInt8] = []) -> [UInt8] {
    let payload = payload + [UInt8](repeating: 0, count: count)
    let size = UInt8(payload.count)
    let addresses = [UInt8](repeating: 1, count: version == 4 ? 8 : 32)
    let header =
      version == 4
      ? [0x45, 0, 0, 20 + size, 0, 0, 0, 0, 64, kind, 0, 0] : [0x60, 0, 0, 0, 0, size, kind, 64] as [UInt8]
    return header + addresses + payload
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let version: UInt8, kind: UInt8, count: Int, transport: PacketFields.Transport?, line: SourceLocation
    init(
      _ version: UInt8, _ kind: UInt8, _ count: Int, _ transport: PacketFields.Transport,
      line: SourceLocation = #_sourceLocation
    ) {
      (self.version, self.kind, self.count, self.transport, self.line) = (
        version, kind, count, transport, line
      )
    }
    init(short version: UInt8, _ kind: UInt8, _ count: Int, line: SourceLocation = #_sourceLocation) {
      (self.version, self.kind, self.count, self.transport, self.line) = (version, kind, count, nil, line)
    }
    var testDescription: String { "IPv\(version), protocol \(kind), \(count) bytes" }
  }
}
